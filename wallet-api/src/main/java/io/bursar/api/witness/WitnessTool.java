package io.bursar.api.witness;

import java.io.IOException;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;

import io.bursar.log.AddCheckpoint;
import io.bursar.log.NoteKey;
import io.bursar.log.NoteSigner;

/** {@code deploy/bursar witness}: runs a witness, for whoever wants to see that a log is never rewritten. */
public final class WitnessTool {
  private static final int BODY_MAX = 64 * 1024;
  private static final String CHECKPOINT = "/checkpoint";
  private static final String HELP = """
      usage: deploy/bursar witness --home DIR [--name NAME] [--listen HOST:PORT] [--log VERIFIER-KEY]...

      Signs the heads of the given logs, and never two of a log that contradict each other. Without a log it only makes its key
      and prints the verifier key that the operator of a log puts into the policy file of BURSAR_WITNESSES.

        --home DIR             the key and what was seen last of each log; must not be lost, nor put back to an older copy
        --name NAME            what the witness is called, such as witness.example.com; needed once, when the key is made
        --listen HOST:PORT     where it takes requests; 127.0.0.1:8088 unless said otherwise. Put TLS in front
        --log VERIFIER-KEY     a log to sign for; as often as there are logs
      """;

  private WitnessTool() {}

  /** Runs until it is killed; ends with 1 if it cannot start and with 2 if it was not understood. */
  public static void main(String[] args) throws InterruptedException {
    int status = run(args, System.out, System.err);
    if (status == 0 && List.of(args).contains("--log")) {
      Thread.currentThread().join();
    }
    System.exit(status);
  }

  static int run(String[] args, PrintStream out, PrintStream err) {
    Optional<Path> home = Optional.empty();
    Optional<String> name = Optional.empty();
    var listen = "127.0.0.1:8088";
    var logs = new ArrayList<NoteKey>();
    if (args.length == 0 || List.of(args).contains("--help")) {
      out.print(HELP);
      return args.length == 0 ? 2 : 0;
    }
    try {
      for (int i = 0; i < args.length; i += 2) {
        if (i + 1 == args.length) {
          throw new IllegalArgumentException(args[i] + " needs a value");
        }
        switch (args[i]) {
          case "--home" -> home = Optional.of(Path.of(args[i + 1]));
          case "--name" -> name = Optional.of(args[i + 1]);
          case "--listen" -> listen = args[i + 1];
          case "--log" -> logs.add(NoteKey.parse(args[i + 1]));
          default -> throw new IllegalArgumentException("there is no option `" + args[i] + "`");
        }
      }
      var directory = home.orElseThrow(() -> new IllegalArgumentException("--home is missing"));
      var signer = key(directory, name);
      out.println(signer.key().text());
      if (!logs.isEmpty()) {
        var server = serve(new Witness(signer, logs, directory.resolve("seen"), InstantSource.system()), listen);
        out.println("listening on " + server.getAddress());
      }
      return 0;
    } catch (IllegalArgumentException misused) {
      err.println("witness: " + misused.getMessage() + "; see --help");
      return 2;
    } catch (IOException failed) {
      err.println("witness: " + failed.getMessage());
      return 1;
    }
  }

  /** The key in the home; made if there is none. */
  static NoteSigner key(Path home, Optional<String> name) throws IOException {
    var onlyOwner = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    Files.createDirectories(home, onlyOwner);
    Files.createDirectories(home.resolve("seen"), onlyOwner);
    var file = home.resolve("witness.key");
    if (Files.exists(file)) {
      var signer = NoteSigner.parseSecret(Files.readString(file).strip());
      if (name.isPresent() && !name.get().equals(signer.key().name())) {
        throw new IllegalArgumentException("the witness is called `" + signer.key().name() + "` and cannot be renamed");
      }
      return signer;
    }
    var seed = new byte[32];
    new SecureRandom().nextBytes(seed);
    var signer = NoteSigner.of(name.orElseThrow(() -> new IllegalArgumentException("--name is missing")),
        NoteKey.Kind.COSIGNATURE, seed);
    Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    Files.writeString(file, signer.secretText() + "\n");
    return signer;
  }

  /** Listens; each request has a thread of its own. */
  static HttpServer serve(Witness witness, String listen) throws IOException {
    int colon = listen.lastIndexOf(':');
    if (colon < 1 || !listen.substring(colon + 1).matches("[0-9]{1,5}")) {
      throw new IllegalArgumentException("--listen takes HOST:PORT");
    }
    var address = new InetSocketAddress(listen.substring(0, colon), Integer.parseInt(listen.substring(colon + 1)));
    var server = HttpServer.create(address, 64);
    server.createContext("/", exchange -> {
      try (exchange) {
        answer(witness, exchange);
      }
    });
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.start();
    return server;
  }

  private static void answer(Witness witness, HttpExchange exchange) throws IOException {
    var path = exchange.getRequestURI().getPath();
    if (exchange.getRequestMethod().equals("POST") && path.equals("/add-checkpoint")) {
      addCheckpoint(witness, exchange);
    } else if (exchange.getRequestMethod().equals("GET") && path.endsWith(CHECKPOINT)) {
      var seen = witness.seen(path.substring(1, Math.max(1, path.length() - CHECKPOINT.length())));
      reply(exchange, seen.isPresent() ? 200 : 404, "text/plain; charset=utf-8", seen.orElse(new byte[0]));
    } else {
      reply(exchange, 404, "text/plain", new byte[0]);
    }
  }

  private static void addCheckpoint(Witness witness, HttpExchange exchange) throws IOException {
    var body = exchange.getRequestBody().readNBytes(BODY_MAX + 1);
    AddCheckpoint request;
    try {
      request = AddCheckpoint.parse(body);
    } catch (IllegalArgumentException malformed) {
      reply(exchange, 400, "text/plain", utf8(malformed.getMessage() + "\n"));
      return;
    }
    switch (witness.add(request)) {
      case Witness.Answer.Signed(var signature) -> reply(exchange, 200, "text/plain; charset=utf-8",
          utf8(signature.line()));
      case Witness.Answer.Conflict(var size) -> reply(exchange, 409, "text/x.tlog.size", utf8(size + "\n"));
      case Witness.Answer.Refused(var status, var why) -> reply(exchange, status, "text/plain", utf8(why + "\n"));
    }
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static void reply(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
    exchange.getResponseHeaders().set("Content-Type", type);
    exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
    if (body.length > 0) {
      exchange.getResponseBody().write(body);
    }
  }
}
