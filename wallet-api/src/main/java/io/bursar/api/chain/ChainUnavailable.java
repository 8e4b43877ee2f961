package io.bursar.api.chain;

/** The chain could not be asked, or its node's answer cannot be used. Nothing is known but that; ask again later. */
public final class ChainUnavailable extends Exception {
  private static final long serialVersionUID = 1;

  private final boolean wrongChain;

  public ChainUnavailable(String message) {
    this(message, false);
  }

  ChainUnavailable(String message, boolean wrongChain) {
    super(message);
    this.wrongChain = wrongChain;
  }

  /** Whether it is because a node that was configured for the chain serves another one, which a person has to mend. */
  public boolean isWrongChain() {
    return wrongChain;
  }
}
