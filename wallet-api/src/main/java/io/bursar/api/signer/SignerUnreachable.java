package io.bursar.api.signer;

/** The signer gave no answer. It may have done what it was asked. */
public final class SignerUnreachable extends Exception {
  private static final long serialVersionUID = 1;

  SignerUnreachable(String message, Throwable cause) {
    super(message, cause);
  }
}
