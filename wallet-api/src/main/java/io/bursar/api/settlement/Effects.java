package io.bursar.api.settlement;

import io.bursar.store.Payment;

/**
 * Everything that {@link PaymentSteps} does to the world passes through here, so that it is timed, and so that a test can stop it
 * before and after each effect.
 */
public interface Effects {
  /** What is done to the world. Looking at it is no effect. */
  enum Effect {
    /** A transaction of the database. */
    RECORD,
    /** A signature comes into being. */
    SIGN,
    /** A transaction is given to a node, or several of a wallet together. */
    SEND
  }

  /** Does nothing but the effect itself. */
  Effects PLAIN = new Effects() {
    @Override
    public <T, X extends Exception> T run(Effect effect, Payment payment, Action<T, X> action) throws X {
      return action.run();
    }
  };

  /** The effect itself. */
  @FunctionalInterface
  interface Action<T, X extends Exception> {
    T run() throws X;
  }

  /** Brings the effect about, and returns what it returned. */
  <T, X extends Exception> T run(Effect effect, Payment payment, Action<T, X> action) throws X;
}
