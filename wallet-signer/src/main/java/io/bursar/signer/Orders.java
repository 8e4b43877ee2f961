package io.bursar.signer;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

import io.bursar.approval.OrderText;
import io.bursar.permit.FreezeScope;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.Obeyed;
import io.bursar.permit.SignerReply.Refused;
import io.bursar.permit.SignerRequest.Obey;

/** What an order can have done. Each kind of order is obeyed by what it changes, which uses it up with {@link Quorum#use}. */
final class Orders {
  private static final Logger LOG = System.getLogger("io.bursar.signer");

  private final Quorum quorum;
  private final Approvers approvers;
  private final Journal journal;
  private final Path ceilings;
  private Map<String, Deed> deeds = Map.of();

  /** What an order of one kind has done. It uses the order up once it sees that it can do it. */
  interface Deed {
    /**
     * Does what the order says, or nothing.
     *
     * @return why not; empty if it is done
     */
    Optional<String> obey(OrderText text, Obey request, Instant now) throws IOException;
  }

  /** @param ceilings the file that holds them */
  Orders(Quorum quorum, Approvers approvers, Journal journal, Path ceilings) {
    this.quorum = quorum;
    this.approvers = approvers;
    this.journal = journal;
    this.ceilings = ceilings;
  }

  /** Adds kinds of orders, by name; before anybody gives one. */
  void alsoObey(Map<String, Deed> more) {
    deeds = Map.copyOf(more);
  }

  /** Does what an order says, or says why not. */
  SignerReply obey(Obey request, Instant now) throws IOException {
    OrderText text;
    try {
      text = Quorum.text(request.order());
    } catch (IllegalArgumentException malformed) {
      return new Refused(SignerRefusal.ORDER_REFUSED, String.valueOf(malformed.getMessage()));
    }
    var refused = obey(text, request, now);
    if (refused.isPresent()) {
      return new Refused(SignerRefusal.ORDER_REFUSED, refused.get());
    }
    LOG.log(Level.INFO, "obeyed order=" + text.number() + " to=" + text.order() + " subject=" + text.subject()
        + " content=sha256:" + text.content());
    return new Obeyed(text.number());
  }

  private Optional<String> obey(OrderText text, Obey request, Instant now) throws IOException {
    var content = request.content().toByteArray();
    return switch (text.order()) {
      case "approvers" -> approvers.learn(request.order(), content, now);
      case "root" -> replaceRoots(request, content, now);
      case "ceilings" -> replaceCeilings(request, content, now);
      case "unfreeze" -> lift(text.subject(), request, now);
      default -> {
        var deed = deeds.get(text.order());
        yield deed == null
            ? Optional.of("there is no order `" + text.order()
                + "`; there are `approvers`, `root`, `ceilings`, `unfreeze`, "
                + deeds.keySet().stream().sorted().map(name -> "`" + name + "`").collect(Collectors.joining(", ")))
            : deed.obey(text, request, now);
      }
    };
  }

  private Optional<String> replaceRoots(Obey request, byte[] content, Instant now) throws IOException {
    RootSet next;
    try {
      next = RootSet.parse(content);
    } catch (IllegalArgumentException malformed) {
      return Optional.of(String.valueOf(malformed.getMessage()));
    }
    var refused = quorum.use(request.order(), "root", "all", content, now);
    if (refused.isEmpty()) {
      quorum.replace(next);
    }
    return refused;
  }

  private Optional<String> replaceCeilings(Obey request, byte[] content, Instant now) throws IOException {
    Ceilings next;
    try {
      next = Ceilings.parse(content);
    } catch (IllegalArgumentException malformed) {
      return Optional.of(String.valueOf(malformed.getMessage()));
    }
    var refused = quorum.use(request.order(), "ceilings", "all", content, now);
    if (refused.isEmpty()) {
      SafeFiles.replace(ceilings, content);
      journal.ceilings(next);
    }
    return refused;
  }

  private Optional<String> lift(String subject, Obey request, Instant now) throws IOException {
    FreezeScope scope;
    try {
      scope = FreezeScope.parse(subject);
    } catch (IllegalArgumentException malformed) {
      return Optional.of(String.valueOf(malformed.getMessage()));
    }
    var refused = quorum.use(request.order(), "unfreeze", subject, new byte[0], now);
    if (refused.isEmpty()) {
      var failure = journal.lift(scope, now);
      if (failure.isPresent()) {
        throw failure.get();
      }
    }
    return refused;
  }
}
