package io.bursar.store;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.permit.Digest32;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.spend.Id;
import io.bursar.store.PaymentState.Attempt;
import io.bursar.store.PaymentState.Mined;

/** The state machine of a payment, without a database: what follows from what, and how it is written down. */
final class PaymentTransition {
  private PaymentTransition() {}

  /** The columns of a payment's row that depend on its state; what is null here stays as it is there. */
  record Columns(@Nullable Long nonce, @Nullable Long gasLimit, @Nullable Digest32 hash, @Nullable Mined mined) {}

  static Columns columns(PaymentState state) {
    return switch (state) {
      case PaymentState.Prepared(var nonce, var gas) -> new Columns(nonce, gas.limit(), null, null);
      case PaymentState.Signed(var nonce, var attempts) -> new Columns(nonce, null, attempts.getLast().hash(), null);
      case PaymentState.Broadcast(var nonce, var attempts) -> new Columns(nonce, null, attempts.getLast().hash(), null);
      case PaymentState.Replacing(var nonce, var attempts, var _, var _) ->
        new Columns(nonce, null, attempts.getLast().hash(), null);
      case PaymentState.Confirmed(var nonce, var mined) -> new Columns(nonce, null, mined.transactionHash(), mined);
      case PaymentState.Reverted(var nonce, var mined) -> new Columns(nonce, null, mined.transactionHash(), mined);
      case PaymentState.Annulled(var nonce, var mined) -> new Columns(nonce, null, mined.transactionHash(), mined);
      case PaymentState.AwaitingApproval _,PaymentState.Authorized _,PaymentState.Relayed _,PaymentState.Rejected _,PaymentState.Expired _,PaymentState.Canceled _,PaymentState.Denied _,PaymentState.Failed _ ->
        new Columns(null, null, null, null);
    };
  }

  /** How many transactions have been fixed for a payment that is not final. */
  static int attempts(PaymentState state) {
    return switch (state) {
      case PaymentState.AwaitingApproval _,PaymentState.Authorized _ -> 0;
      case PaymentState.Prepared _ -> 1;
      case PaymentState.Signed(var _, var attempts) -> attempts.size();
      case PaymentState.Broadcast(var _, var attempts) -> attempts.size();
      case PaymentState.Replacing(var _, var attempts, var _, var _) -> attempts.size() + 1;
      case PaymentState.Relayed _ -> throw new IllegalStateException("a relayed payment has no transaction of its own");
      case PaymentState.Final _ -> throw new IllegalStateException("a payment that is " + state.text() + " stays so");
    };
  }

  /** Whether the event fixes another transaction. */
  static boolean fixesTransaction(PaymentEvent event) {
    return event instanceof PaymentEvent.Prepare || event instanceof PaymentEvent.Replace;
  }

  /**
   * The state after an event.
   *
   * @param nonce for {@link PaymentEvent.Prepare}: the nonce that was taken
   * @param at when the event is recorded
   * @throws IllegalStateException if the event cannot happen in this state
   */
  static PaymentState after(PaymentState from, PaymentEvent event, long nonce, Instant at) {
    return switch (event) {
      case PaymentEvent.Prepare(var gas) when from instanceof PaymentState.Authorized ->
        new PaymentState.Prepared(nonce, gas);
      case PaymentEvent.Expire() when from instanceof PaymentState.Authorized -> new PaymentState.Expired();
      case PaymentEvent.Sign(var raw, var hash) when from instanceof PaymentState.Prepared(var taken, var gas) ->
        new PaymentState.Signed(taken, List.of(new Attempt(1, false, gas, raw, hash, null, null)));
      case PaymentEvent.Sign(var raw, var hash) when from instanceof PaymentState.Replacing(var taken, var attempts, var gas, var cancels) ->
        new PaymentState.Signed(taken,
            append(attempts, new Attempt(attempts.size() + 1, cancels, gas, raw, hash, null, null)));
      case PaymentEvent.Send(var _) when from instanceof PaymentState.Signed(var taken, var attempts) ->
        new PaymentState.Broadcast(taken,
            append(attempts.subList(0, attempts.size() - 1), attempts.getLast().sentAt(at)));
      case PaymentEvent.Replace(var gas, var cancels) when from instanceof PaymentState.Signed(var taken, var attempts) ->
        new PaymentState.Replacing(taken, attempts, gas, cancels);
      case PaymentEvent.Replace(var gas, var cancels) when from instanceof PaymentState.Broadcast(var taken, var attempts) ->
        new PaymentState.Replacing(taken, attempts, gas, cancels);
      case PaymentEvent.Confirm(var mined) -> new PaymentState.Confirmed(minedNonce(from), mined);
      case PaymentEvent.Revert(var mined) -> new PaymentState.Reverted(minedNonce(from), mined);
      case PaymentEvent.Annul(var mined) -> new PaymentState.Annulled(minedNonce(from), mined);
      case PaymentEvent.Fail(var why) when isSigned(from) -> new PaymentState.Failed(why);
      case PaymentEvent.Prepare _,PaymentEvent.Expire _,PaymentEvent.Sign _,PaymentEvent.Send _,PaymentEvent.Replace _,PaymentEvent.Fail _ ->
        throw new IllegalStateException("`" + kind(event) + "` cannot happen to a payment that is " + from.text());
    };
  }

  private static boolean isSigned(PaymentState state) {
    return state instanceof PaymentState.Signed || state instanceof PaymentState.Broadcast
        || state instanceof PaymentState.Replacing;
  }

  private static long minedNonce(PaymentState from) {
    return switch (from) {
      case PaymentState.Signed(var nonce, var _) -> nonce;
      case PaymentState.Broadcast(var nonce, var _) -> nonce;
      case PaymentState.Replacing(var nonce, var _, var _, var _) -> nonce;
      case PaymentState.AwaitingApproval _,PaymentState.Authorized _,PaymentState.Prepared _,PaymentState.Relayed _,PaymentState.Final _ ->
        throw new IllegalStateException("a payment that is " + from.text() + " cannot have been mined");
    };
  }

  private static List<Attempt> append(List<Attempt> attempts, Attempt last) {
    var all = new ArrayList<>(attempts);
    all.add(last);
    return all;
  }

  /** The kind of the event's entry in the record. */
  static String kind(PaymentEvent event) {
    return switch (event) {
      case PaymentEvent.Prepare _ -> "payment.prepared";
      case PaymentEvent.Sign _ -> "payment.signed";
      case PaymentEvent.Send _ -> "payment.broadcast";
      case PaymentEvent.Replace _ -> "payment.replaced";
      case PaymentEvent.Confirm _ -> "payment.confirmed";
      case PaymentEvent.Revert _ -> "payment.reverted";
      case PaymentEvent.Annul _ -> "payment.canceled";
      case PaymentEvent.Fail _ -> "payment.failed";
      case PaymentEvent.Expire _ -> "payment.expired";
    };
  }

  /** What the event's entry says: the spend, the nonce, and what was fixed, signed, sent or found. */
  static Json.Obj entry(Payment payment, PaymentState next, PaymentEvent event) {
    var entry = Json.object().put("spend", Id.SPEND.text(payment.spendId()));
    var nonce = columns(next instanceof PaymentState.Failed ? payment.state() : next).nonce();
    if (nonce != null) {
      entry.put("nonce", nonce);
    }
    switch (event) {
      case PaymentEvent.Prepare(var gas) -> gas(entry, gas);
      case PaymentEvent.Replace(var gas, var cancels) -> {
        gas(entry, gas);
        if (cancels) {
          entry.put("cancels", true);
        }
      }
      case PaymentEvent.Sign(var _, var hash) -> entry.put("transactionHash", hex(hash));
      case PaymentEvent.Send(var how) -> entry.put("how", how).put("transactionHash", hex(columns(next).hash()));
      case PaymentEvent.Confirm(var mined) -> mined(entry, mined);
      case PaymentEvent.Revert(var mined) -> mined(entry, mined);
      case PaymentEvent.Annul(var mined) -> mined(entry, mined);
      case PaymentEvent.Fail(var why) -> entry.put("why", why);
      case PaymentEvent.Expire() -> {
      }
    }
    return entry.build();
  }

  private static void gas(Json.Builder entry, Gas gas) {
    entry.put("gasLimit", gas.limit()).put("maxFeePerGas", gas.maxFeePerGas())
        .put("maxPriorityFeePerGas", gas.maxPriorityFeePerGas());
  }

  private static void mined(Json.Builder entry, Mined mined) {
    entry.put("transactionHash", hex(mined.transactionHash())).put("block", mined.blockNumber())
        .put("blockHash", hex(mined.blockHash()));
  }

  private static String hex(@Nullable Digest32 hash) {
    return "0x" + Objects.requireNonNull(hash);
  }
}
