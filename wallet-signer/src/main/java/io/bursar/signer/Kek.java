package io.bursar.signer;

import java.io.IOException;

/**
 * A key encryption key: it wraps the data keys under which private keys are sealed, and nothing else. This is the
 * whole contract between the signer and whatever holds such a key: a file, an HSM, a key management service. What
 * implements it must keep these promises:
 *
 * <ul>
 * <li>{@code wrap} is authenticated encryption under a key that nobody else holds: what {@code unwrap} opens came out of
 * {@code wrap} of this same key, unaltered. Wrapping with a public key does not do: anybody could plant a data key.
 * <li>{@code id} names one key for ever and is never given to another. Old wraps stay readable as long as the signer
 * lists the key, also after a service rotated its own key material behind the name.
 * <li>Both calls are safe for several threads, end within seconds, and leave no data key in a log, a trace or an error.
 * A service that is away throws {@link IOException}, and the caller's request fails and may be repeated; only bytes that
 * this key did not wrap throw {@link DoesNotOpenException}, which is taken for damage or an attack.
 * <li>A service that takes an encryption context (associated data) gets the id, and refuses to unwrap without it.
 * <li>The signer calls {@code unwrap} for each signature whose key is not in memory: 5 ms is good, 100 ms is bearable.
 * </ul>
 *
 * A new kind of key needs this interface, a {@link KekSource} that says how it is had, and a case in {@link KekFiles}.
 * A service over the network needs a process of its own behind a Unix socket: the signer has no network.
 */
interface Kek extends AutoCloseable {
  /** Length in bytes of a data key, and of any other secret that is wrapped. */
  int DATA_KEY_BYTES = 32;
  /** The most bytes that a wrapped data key has. */
  int MOST_WRAPPED_BYTES = 255;

  /** The bytes were not wrapped by this key, or were altered since. */
  final class DoesNotOpenException extends Exception {
    private static final long serialVersionUID = 1L;

    DoesNotOpenException(Throwable cause) {
      super("was not wrapped by this key encryption key, or was altered since", cause);
    }

    DoesNotOpenException(String message) {
      super(message);
    }
  }

  /** {@code kek-} and 16 hexadecimal digits. */
  String id();

  /**
   * Wraps a data key of {@value #DATA_KEY_BYTES} bytes.
   *
   * @return 1 to {@value #MOST_WRAPPED_BYTES} bytes
   * @throws IOException if whatever holds the key cannot be used now
   */
  byte[] wrap(byte[] dataKey) throws IOException;

  /**
   * Unwraps what {@link #wrap} made. The caller erases the answer.
   *
   * @throws DoesNotOpenException if it was wrapped by another key or is damaged
   * @throws IOException if whatever holds the key cannot be used now
   */
  byte[] unwrap(byte[] wrapped) throws DoesNotOpenException, IOException;

  /** Lets go of the key; the object is not used again. */
  @Override
  void close();
}
