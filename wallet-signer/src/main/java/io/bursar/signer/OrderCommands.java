package io.bursar.signer;

import java.io.EOFException;
import java.io.IOException;
import java.io.PrintStream;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import io.bursar.approval.ApproverKey;
import io.bursar.approval.ApproverRoll;
import io.bursar.approval.OrderText;
import io.bursar.permit.Bytes;
import io.bursar.permit.FreezeScope;
import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.SignerRequest.Freeze;
import io.bursar.permit.SignerRequest.Lift;
import io.bursar.permit.SignerRequest.Obey;
import io.bursar.permit.SignerRequest.SignedOrder;

/**
 * What people tell the signer from the command line, without the API: {@code order-text} writes what the holders of root keys sign,
 * {@code order} hands it, signed, to the signer that runs; {@code freeze} and {@code unfreeze} are for its operator, and
 * {@code accept-journal} after a loss, {@code compact-journal} when it has become long.
 */
final class OrderCommands {
  private static final Duration LIFE = Duration.ofDays(1);
  /** Of content that travels to the signer; that of `restore` does not. */
  private static final int MOST_CONTENT = ApproverRoll.BYTES_MAX;

  private OrderCommands() {}

  /** Prints the text of the next order. */
  static void text(SignerHome home, Map<String, String> options, PrintStream out)
      throws IOException, SignerMain.UsageException {
    var expiresAt = Instant.now().plus(life(options)).truncatedTo(ChronoUnit.SECONDS);
    var quorum = Quorum.open(home.approvers(), LogKeyFile.read(home.logKey()).origin());
    if (!quorum.isThere()) {
      throw new IOException(
          "this signer has no root set, so it obeys no orders; give it one with `init --root-set FILE`");
    }
    var text = quorum.text(SignerMain.required(options, "--order"), SignerMain.required(options, "--subject"),
        content(options, Backup.MOST_BYTES), expiresAt).toString();
    try {
      out.print(OrderText.parse(text));
    } catch (IllegalArgumentException malformed) {
      throw new IOException("no order has such an --order or --subject: " + malformed.getMessage());
    }
  }

  /** Hands an order to the signer and says what became of it. */
  static void send(Map<String, String> options, PrintStream out) throws IOException, SignerMain.UsageException {
    var order = signed(options);
    var reply = ask(Path.of(SignerMain.required(options, "--socket")),
        new Obey(order, Bytes.of(content(options, MOST_CONTENT))));
    switch (reply) {
      case SignerReply.Obeyed(var number) -> out.println("order " + number + " was obeyed");
      case SignerReply.Refused(var reason, var message) ->
        throw new IOException("the signer refuses (" + reason + "): " + message);
      default -> throw new IOException("the signer's answer is not what it should be");
    }
  }

  /** A signed order, as the options --text and --signatures name its files. */
  static SignedOrder signed(Map<String, String> options) throws IOException, SignerMain.UsageException {
    var text = SafeFiles.read(Path.of(SignerMain.required(options, "--text")), OrderText.LENGTH_MAX);
    var signatures = new ArrayList<Bytes>();
    var lines = new String(SafeFiles.read(Path.of(SignerMain.required(options, "--signatures")), 64 * 1024),
        StandardCharsets.UTF_8).lines().map(String::strip).filter(line -> !line.isEmpty()).toList();
    for (var line : lines) {
      try {
        signatures.add(ApproverKey.signature(line));
      } catch (IllegalArgumentException notBase64) {
        throw new IOException("a line of --signatures " + notBase64.getMessage());
      }
    }
    return new SignedOrder(Bytes.of(text), signatures);
  }

  /** Freezes by the running signer. */
  static void freeze(Map<String, String> options, PrintStream out) throws IOException, SignerMain.UsageException {
    var scope = scope(options);
    tell(ask(Path.of(SignerMain.required(options, "--socket")),
        new Freeze(scope, options.getOrDefault("--why", "by the operator"))), out);
  }

  /** Lifts a freeze, where there is no root set. */
  static void unfreeze(SignerHome home, Map<String, String> options, PrintStream out)
      throws IOException, SignerMain.UsageException {
    tell(ask(Path.of(SignerMain.required(options, "--socket")),
        new Lift(scope(options), Bytes.of(home.operatorKey()))), out);
  }

  /** Takes the journal as it is, after a loss. */
  static void acceptJournal(SignerHome home, Map<String, String> options, PrintStream out) throws IOException {
    var anchor = anchor(home, options);
    try (var _ = home.lock();
        var journal = JournalFile.open(home.journal(), SafeFiles.open(home.journal()),
            (_, _, _) -> {})) {
      if (Files.exists(anchor)) {
        Files.move(anchor, anchor.resolveSibling(anchor.getFileName() + ".before-" + Instant.now().getEpochSecond()));
      }
      try (var fresh = JournalAnchor.open(anchor)) {
        fresh.accept(journal, Instant.now());
      }
      out.println("the journal is accepted as it is, with " + journal.length() + " bytes");
    }
  }

  /** Puts a shorter journal that says the same in the place of this one. */
  static void compactJournal(SignerHome home, Map<String, String> options, PrintStream out) throws IOException {
    var path = anchor(home, options);
    for (var needed : List.of(home.journal(), path)) {
      if (!Files.exists(needed)) {
        throw new IOException("there is no `" + needed + "`; give --anchor as `serve` is given it");
      }
    }
    try (var _ = home.lock(); var anchor = JournalAnchor.open(path)) {
      var result = JournalCompaction.compact(home.journal(), anchor, Instant.now());
      if (result.cutBytes() > 0) {
        out.println("an unfinished write of " + result.cutBytes() + " bytes was cut off the journal");
      }
      out.println("the journal of " + result.records() + " signatures has " + result.bytesAfter() + " bytes, and had "
          + result.bytesBefore() + "; that one is `" + result.before()
          + "` now, to be moved to where archives are kept");
    }
  }

  /** Where it is kept how far the journal had come. */
  static Path anchor(SignerHome home, Map<String, String> options) {
    var given = options.get("--anchor");
    return given == null ? home.anchor() : Path.of(given);
  }

  private static FreezeScope scope(Map<String, String> options) throws SignerMain.UsageException {
    try {
      return FreezeScope.parse(SignerMain.required(options, "--scope"));
    } catch (IllegalArgumentException unknown) {
      throw new SignerMain.UsageException(String.valueOf(unknown.getMessage()));
    }
  }

  private static void tell(SignerReply reply, PrintStream out) throws IOException {
    switch (reply) {
      case SignerReply.Frozen(var scope, var frozen) ->
        out.println(scope + (frozen ? " is frozen" : " may sign again"));
      case SignerReply.Refused(var reason, var message) ->
        throw new IOException("the signer refuses (" + reason + "): " + message);
      case SignerReply _ -> throw new IOException("the signer's answer is not what it should be");
    }
  }

  /** One question to the signer that runs. */
  static SignerReply ask(Path socket, SignerRequest request) throws IOException {
    try (var channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      var out = SignerFrame.encode(request);
      while (out.hasRemaining()) {
        channel.write(out);
      }
      var in = ByteBuffer.allocate(SignerFrame.HEADER_BYTES + SignerFrame.MAX_PAYLOAD_BYTES);
      while (true) {
        if (channel.read(in) < 0) {
          throw new EOFException("the signer closed the connection");
        }
        var payload = SignerFrame.take(in.duplicate().flip());
        if (payload != null) {
          return SignerFrame.decodeReply(payload);
        }
      }
    } catch (java.net.ConnectException nobody) {
      throw new IOException("no signer listens on `" + socket + "`: nothing is signed while it does not run");
    }
  }

  private static byte[] content(Map<String, String> options, int most) throws IOException {
    var file = options.get("--content");
    return file == null ? new byte[0] : SafeFiles.read(Path.of(file), most);
  }

  private static Duration life(Map<String, String> options) throws SignerMain.UsageException {
    var text = options.get("--valid");
    try {
      var life = text == null ? LIFE : Duration.parse(text);
      if (life.isPositive() && life.compareTo(Quorum.MOST_LIFE) <= 0) {
        return life;
      }
    } catch (DateTimeException notADuration) {
      // Said below.
    }
    throw new SignerMain.UsageException("--valid is a time such as `PT12H`, at most `P7D`");
  }
}
