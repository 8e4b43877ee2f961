package io.bursar.api.funding;

import java.math.BigInteger;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Eip3009;
import io.bursar.money.Address;
import io.bursar.store.Funds;
import io.bursar.store.Funds.Account;
import io.bursar.store.Funds.Promise;
import io.bursar.store.Funds.Shortage;
import io.bursar.store.Payment;
import io.bursar.store.RelayedPayment;

/**
 * Whether a wallet can pay what it is to pay, decided before anything is signed: its balance at the end of a block, less all that is
 * signed and not in that balance. Which signatures are in it the chain says for the same block, by the wallet's count of transactions
 * and by the token's word on each authorization, so that nothing counts twice and nothing is left out, whatever is recorded late.
 */
public final class FundsCheck {
  /** What is to be done with a payment. */
  public sealed interface Verdict {
    /** It can be paid. */
    record Enough() implements Verdict {}

    /** It waits for money, and this is shown to its owner. */
    record Waits(String why) implements Verdict {}

    /** It has waited long enough: it has failed, with nothing signed and all given back. */
    record Failed() implements Verdict {}
  }

  /** How long a payment waits for money before it fails, unless it is set. */
  public static final Duration WAIT = Duration.ofSeconds(60);

  /** The most promises of one wallet that are asked about one by one; with more than that on their way it is no time to fail. */
  private static final int LOOKED_AT = 500;

  private final Funds funds;
  private final Duration wait;

  /**
   * A check.
   *
   * @param wait how long a payment waits for money before it fails; zero: not at all
   */
  public FundsCheck(Funds funds, Duration wait) {
    this.funds = funds;
    this.wait = wait;
  }

  /** What the chain proves of an account at the end of a block. */
  private record Standing(long block, BigInteger balance, BigInteger left, boolean isWhole) {}

  /** Whose account is asked about; the key of no payment in particular where it is asked about as a whole. */
  private record Question(Payment.Key key, Account account, Address address, BigInteger amount) {}

  /** What the wallet of a payment has promised of the payment's asset. */
  public BigInteger promised(Payment payment) {
    var account = account(payment);
    return funds.promised(List.of(account), Long.MAX_VALUE).getOrDefault(account, BigInteger.ZERO);
  }

  private static Account account(Payment payment) {
    return Account.of(payment.key(), payment.wallet(), payment.order());
  }

  /**
   * Of a payment by a transaction of its wallet: what has arrived in the newest block can be spent in the next one.
   *
   * @param left the wallet's newest balance, less all that it had {@link #promised} before that was asked for: what is kept in between
   *        counts twice, and never not at all
   */
  public Verdict direct(Chain chain, Payment payment, BigInteger left) throws ChainUnavailable {
    if (left.compareTo(payment.order().amount()) >= 0) {
      return new Verdict.Enough();
    }
    var question = new Question(payment.key(), account(payment), payment.wallet().address(), payment.order().amount());
    var standing = standing(chain, question, chain.head());
    return standing.left.compareTo(question.amount) >= 0
        ? new Verdict.Enough()
        : lacks(chain, question, standing);
  }

  /**
   * Of a payment by authorization that a rougher look has found too large.
   *
   * @param settled the newest block that is final; money that has arrived after it may go away again
   */
  public Verdict relayed(Chain chain, RelayedPayment payment, long settled) throws ChainUnavailable {
    var question = new Question(payment.key(), payment.account(), payment.wallet().address(),
        payment.order().amount());
    var standing = standing(chain, question, settled);
    return standing.left.compareTo(question.amount) >= 0
        ? new Verdict.Waits("earlier payments of the wallet are just being settled")
        : lacks(chain, question, standing);
  }

  /**
   * What is available of an account by a final block: its balance then, less all that its spends are to take and have not taken by then.
   * Empty while its spends move on, or are too many to be asked about.
   */
  public Optional<BigInteger> available(Chain chain, Account account, Address address, long settled)
      throws ChainUnavailable {
    var unfixed = funds.unfixed(account);
    var question = new Question(new Payment.Key(account.tenantId(), account.walletId()), account, address,
        BigInteger.ZERO);
    var standing = standing(chain, question, settled);
    // One that was fixed in between would count twice or not at all.
    return standing.isWhole && funds.unfixed(account).equals(unfixed)
        ? Optional.of(standing.left.subtract(unfixed.values().stream().reduce(BigInteger.ZERO, BigInteger::add)))
        : Optional.empty();
  }

  private Verdict lacks(Chain chain, Question question, Standing standing) throws ChainUnavailable {
    var waited = funds.unfunded(question.key);
    if (waited.isEmpty() || waited.get().compareTo(wait) < 0 || !standing.isWhole) {
      return new Verdict.Waits("the wallet holds " + standing.balance + " base units of the asset, of which "
          + standing.left + " are not signed away: fewer than the " + question.amount + " to be paid; it fails "
          + wait.toSeconds() + " s after that was first seen unless the wallet is funded");
    }
    long head = chain.head();
    if (head > standing.block) {
      var newest = standing(chain, question, head);
      if (newest.left.compareTo(question.amount) >= 0 || !newest.isWhole) {
        return new Verdict.Waits("the money has arrived in a block that is not final yet");
      }
    }
    funds.fail(question.key, new Shortage(standing.balance, standing.left.max(BigInteger.ZERO), question.amount));
    return new Verdict.Failed();
  }

  private Standing standing(Chain chain, Question question, long block) throws ChainUnavailable {
    var token = question.account.token();
    var balance = chain.balanceOf(token, question.address, block);
    long count = chain.transactionCount(question.address, block);
    // After the balance: what is recorded as paid in a later block is still among them.
    var promises = funds.promises(question.account, block, LOOKED_AT);
    var left = balance;
    for (var promise : promises) {
      if (!isKept(chain, question, promise, count, block)) {
        left = left.subtract(promise.amount());
      }
    }
    return new Standing(block, balance, left, promises.size() < LOOKED_AT);
  }

  /** Whether a payment is part of the balance at the end of a block. */
  private static boolean isKept(Chain chain, Question question, Promise promise, long count, long block)
      throws ChainUnavailable {
    var authorization = promise.authorizationNonce();
    if (authorization != null) {
      return Eip3009.isSeen(chain, question.account.token(), question.address, authorization, block);
    }
    var nonce = promise.nonce();
    return nonce != null && nonce < count;
  }
}
