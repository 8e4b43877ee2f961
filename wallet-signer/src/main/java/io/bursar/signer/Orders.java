package io.bursar.signer;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Instant;
import java.util.Optional;

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

  Orders(Quorum quorum, Approvers approvers) {
    this.quorum = quorum;
    this.approvers = approvers;
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
      default -> Optional.of("there is no order `" + text.order() + "`; there are `approvers` and `root`");
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
