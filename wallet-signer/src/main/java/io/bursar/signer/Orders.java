package io.bursar.signer;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

import io.bursar.approval.OrderText;
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
  private final Map<String, Deed> deeds;

  /** What an order of one kind has done. It uses the order up once it sees that it can do it. */
  interface Deed {
    /**
     * Does what the order says, or nothing.
     *
     * @return why not; empty if it is done
     */
    Optional<String> obey(OrderText text, Obey request, Instant now) throws IOException;
  }

  Orders(Quorum quorum, Approvers approvers) {
    this(quorum, approvers, Map.of());
  }

  /** @param deeds more kinds of orders, by name */
  Orders(Quorum quorum, Approvers approvers, Map<String, Deed> deeds) {
    this.quorum = quorum;
    this.approvers = approvers;
    this.deeds = Map.copyOf(deeds);
  }

  /** Who may approve. */
  Approvers approvers() {
    return approvers;
  }

  /** Whose orders are obeyed. */
  Quorum quorum() {
    return quorum;
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
      default -> {
        var deed = deeds.get(text.order());
        yield deed == null
            ? Optional.of("there is no order `" + text.order() + "`; there are `approvers`, `root`, "
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
}
