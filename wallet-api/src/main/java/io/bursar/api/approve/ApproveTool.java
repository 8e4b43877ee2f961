package io.bursar.api.approve;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

import io.bursar.approval.ApprovalText;
import io.bursar.approval.ApproverKey;
import io.bursar.approval.ChangeText;
import io.bursar.approval.OrderText;
import io.bursar.approval.Signable;
import io.bursar.approval.Verdict;
import io.bursar.spend.Id;

/**
 * {@code deploy/bursar approve}: makes an approver's key, and signs approval texts with it. It signs nothing that is not an approval
 * text in its one form, shows what it signs, and asks before. Signing a file needs no network.
 *
 * <p>What a person reads goes to standard error, a signature or a public key alone to standard output. Exit code 0: done; 1: not
 * done, with the reason; 2: misused.
 */
public final class ApproveTool {
  static final String USAGE = """
      usage: deploy/bursar approve keygen --out FILE [--curve Ed25519|P-256]
                 makes a key, writes its private half to FILE (mode 0600, PKCS#8 in PEM) and prints its public half,
                 to be registered by `POST /v1/approvers` or `PUT /v1/approvers/{id}/key`
             deploy/bursar approve --key FILE [--text FILE] [--yes]
                 signs an approval text, or an order to the signer, from standard input without --text, and prints the signature; needs no network
             deploy/bursar approve --key FILE --spend SPEND [--reject] [--comment TEXT] [--url URL] [--print] [--yes]
             deploy/bursar approve --key FILE --change CHANGE …
                 fetches the text of a spend, or of a request for a change, shows it, signs it and sends the verdict;
                 --print prints the signature instead

        --key FILE      the private key: Ed25519 or P-256, PKCS#8 in PEM, as `openssl genpkey` writes it too
        --url URL       the API; default: BURSAR_URL, or else http://127.0.0.1:8080
        --yes           does not ask; what is signed is shown all the same
        --help          this text

      The approver's API key is read from BURSAR_API_KEY. wallet-policy/README.md describes the text.
      """;

  private static final long KEY_BYTES_MAX = 16 * 1024;

  /** It was not done, for this reason. */
  static final class Refused extends Exception {
    Refused(String message) {
      super(message);
    }
  }

  private final Map<String, String> environment;
  private final InputStream in;
  private final PrintStream out;
  private final PrintStream err;

  ApproveTool(Map<String, String> environment, InputStream in, PrintStream out, PrintStream err) {
    this.environment = environment;
    this.in = in;
    this.out = out;
    this.err = err;
  }

  public static void main(String[] args) {
    var out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), true, StandardCharsets.UTF_8);
    var err = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.err), true, StandardCharsets.UTF_8);
    System.exit(new ApproveTool(System.getenv(), System.in, out, err).run(List.of(args)));
  }

  /** Does what the arguments say and answers the exit code. */
  int run(List<String> args) {
    try {
      var options = ApproveOptions.parse(args);
      switch (options) {
        case ApproveOptions.Help() -> out.print(USAGE);
        case ApproveOptions.KeyGen(var file, var curve) -> generate(file, curve);
        case ApproveOptions.SignText(var key, var text, var yes) -> signText(key, text, yes);
        case ApproveOptions.SignFetched fetched -> signFetched(fetched);
      }
      return 0;
    } catch (ApproveOptions.Misused e) {
      err.println("bursar approve: " + e.getMessage());
      err.print(USAGE);
      return 2;
    } catch (Refused e) {
      err.println("bursar approve: " + e.getMessage());
      return 1;
    } catch (IOException | UncheckedIOException e) {
      err.println("bursar approve: " + e);
      return 1;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return 130;
    }
  }

  private void generate(Path file, ApproverKey.Curve curve) throws Refused, IOException {
    var key = ApproverKeyFile.generate(curve);
    try {
      Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      Files.writeString(file, key.pem(), StandardOpenOption.WRITE);
    } catch (FileAlreadyExistsException e) {
      throw new Refused("`" + file + "` is there already and is not overwritten; give another --out");
    } catch (NoSuchFileException e) {
      throw new Refused("there is no directory for `" + file + "`");
    }
    err.println("The private key is in " + file + ": keep it, and keep it to yourself.");
    err.println("Its thumbprint is " + key.publicKey().thumbprint() + ". Have this registered for you:");
    out.println(key.publicKey().jwk());
  }

  private void signText(Path keyFile, @Nullable Path textFile, boolean yes) throws Refused, IOException {
    var key = key(keyFile);
    var bytes = textFile == null ? in.readNBytes(ApprovalText.BYTES_MAX + 1) : read(textFile, ApprovalText.BYTES_MAX);
    var text = signable(new String(bytes, StandardCharsets.UTF_8));
    show(text, key);
    if (!yes && textFile == null) {
      throw new Refused("the text came from standard input, so nobody can be asked there: read it, then say --yes");
    }
    confirm(text, yes);
    out.println(key.sign(text.bytes()));
  }

  private void signFetched(ApproveOptions.SignFetched wanted) throws Refused, IOException, InterruptedException {
    var key = key(wanted.key());
    var api = new ApprovalApi(url(wanted.url()), required("BURSAR_API_KEY"));
    var offered = api.text(wanted.subject(), wanted.verdict());
    var text = signable(offered.text());
    if (!isOf(text, wanted.subject()) || text.verdict() != wanted.verdict()) {
      throw new Refused("the service gave the text of something else, or of another verdict; nothing was signed");
    }
    if (!offered.describes(text)) {
      throw new Refused("what the service shows is not what is in the text; nothing was signed");
    }
    show(text, key);
    offered.lines().forEach(err::println);
    confirm(text, wanted.yes());
    var signature = key.sign(text.bytes());
    if (wanted.print()) {
      out.println(signature);
      return;
    }
    err.println(api.send(wanted.subject(), text, signature, wanted.comment()));
  }

  private static boolean isOf(Signable text, ApproveOptions.Subject subject) {
    return switch (text) {
      case ApprovalText spend -> subject.equals(new ApproveOptions.Subject(Id.SPEND, spend.spendId()));
      case ChangeText change -> subject.equals(new ApproveOptions.Subject(Id.CHANGE, change.changeId()));
      case OrderText _ -> false;
    };
  }

  private URI url(@Nullable String option) throws Refused {
    var text = option != null ? option : environment.getOrDefault("BURSAR_URL", "http://127.0.0.1:8080");
    try {
      var url = URI.create(text);
      if (url.getHost() != null && ("http".equals(url.getScheme()) || "https".equals(url.getScheme()))) {
        return url;
      }
    } catch (IllegalArgumentException notOne) {
      // Said below.
    }
    throw new Refused("`" + text + "` is not a URL such as https://bursar.example.com");
  }

  private String required(String name) throws Refused {
    var value = environment.get(name);
    if (value == null || value.isEmpty()) {
      throw new Refused("`" + name + "` is not set: put the approver's API key there");
    }
    return value;
  }

  private static ApproverKeyFile key(Path file) throws Refused, IOException {
    try {
      return ApproverKeyFile.parse(new String(read(file, KEY_BYTES_MAX), StandardCharsets.UTF_8));
    } catch (IllegalArgumentException e) {
      throw new Refused("`" + file + "` holds no key to sign with: " + e.getMessage());
    }
  }

  private static byte[] read(Path file, long most) throws Refused, IOException {
    if (!Files.isReadable(file) || Files.isDirectory(file)) {
      throw new Refused("cannot read `" + file + "`");
    }
    if (Files.size(file) > most) {
      throw new Refused("`" + file + "` has more than " + most + " bytes");
    }
    return Files.readAllBytes(file);
  }

  private static Signable signable(String text) throws Refused {
    try {
      return Signable.parse(text);
    } catch (IllegalArgumentException e) {
      throw new Refused("this is no approval text, and nothing else is signed: " + e.getMessage());
    }
  }

  private void show(Signable text, ApproverKeyFile key) {
    err.println("This is what will be signed with " + key.publicKey().thumbprint() + ":");
    err.println();
    text.toString().lines().forEach(line -> err.println("  " + line));
    err.println();
    err.println("To " + text.verdict().text() + ": " + switch (text) {
      case ApprovalText spend -> spend.money().shown() + " on " + spend.money().chain() + " from "
          + Id.WALLET.text(spend.walletId()) + " to " + spend.payee();
      case ChangeText change -> "change " + Id.CHANGE.text(change.changeId()) + " of kind `" + change.kind()
          + "`; its content follows, or is where you got the text";
      case OrderText order -> "order " + order.number() + " to the signer `" + order.signer() + "`: " + order.order()
          + " for " + order.subject() + "; check that the SHA-256 of its content is the one above";
    });
  }

  private void confirm(Signable text, boolean yes) throws Refused, IOException {
    if (yes) {
      return;
    }
    var word = text.verdict() == Verdict.APPROVE ? "approve" : "reject";
    err.print("Type `" + word + "` to sign: ");
    err.flush();
    var answer = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8)).readLine();
    if (!word.equals(answer)) {
      throw new Refused("nothing was signed");
    }
  }
}
