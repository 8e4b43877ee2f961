package io.bursar.api.chain;

/** The chain could not be asked, or its node's answer cannot be used. Nothing is known but that; ask again later. */
public final class ChainUnavailable extends Exception {
  private static final long serialVersionUID = 1;

  public ChainUnavailable(String message) {
    super(message);
  }
}
