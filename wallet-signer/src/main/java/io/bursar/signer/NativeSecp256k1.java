package io.bursar.signer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

import org.bouncycastle.util.BigIntegers;

import io.bursar.money.Address;
import io.bursar.permit.Digest32;

/**
 * secp256k1 by libsecp256k1: constant-time on the private key, blinded, and some fourteen times as fast as web3j. The
 * library is the one inside the jar of secp256k1-kmp, which exports the C functions beside its JNI ones.
 *
 * @see <a href="https://github.com/bitcoin-core/secp256k1/blob/master/include/secp256k1_recovery.h">the C functions</a>
 */
final class NativeSecp256k1 implements Secp256k1 {
  /** SHA-256 of the library inside secp256k1-kmp-jni-jvm-linux 0.23.0, by the JVM's name of the processor. */
  private static final Map<String, String> PINNED = Map.of( //
      "amd64", "25f0f0bfd3e4b202563f772963ea803f0f949e5593476d3cd4b755f800bf7704", //
      "aarch64", "4e9c780ba134d130799c5f2d15ba90bf9fb477b34fc78d0f5b55fee90a734e37");
  private static final int CONTEXT_NONE = 1;
  private static final int UNCOMPRESSED = 2;
  private static final int SIGNATURES_BETWEEN_BLINDINGS = 256;

  private final Arena arena = Arena.ofShared();
  private final Functions functions;
  private final BlockingQueue<Context> idle;

  /**
   * Loads the library for this machine from a directory, copied there out of the class path if it is not there yet, and
   * only if it has the pinned hash.
   *
   * @param directory of mode 0700, made if missing
   * @throws IOException if there is none, it is not the pinned one, or it cannot be copied or loaded; the message says
   *         which
   */
  static NativeSecp256k1 load(Path directory) throws IOException {
    var processor = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
    var pinned = PINNED.get(processor);
    if (pinned == null || !System.getProperty("os.name", "").equals("Linux")) {
      throw new IOException("there is no native library for this system");
    }
    SafeFiles.makeDirectory(directory);
    var file = directory.resolve("libsecp256k1-" + pinned.substring(0, 16) + ".so");
    if (!Files.exists(file) || !hash(Files.readAllBytes(file)).equals(pinned)) {
      var library = fromClassPath(processor.equals("amd64") ? "x86_64" : processor);
      var hash = hash(library);
      if (!hash.equals(pinned)) {
        throw new IOException("the native library has the SHA-256 " + hash + ", not the pinned " + pinned);
      }
      SafeFiles.replace(file, library);
    }
    try {
      return new NativeSecp256k1(file, Runtime.getRuntime().availableProcessors());
    } catch (IllegalArgumentException | UnsatisfiedLinkError notLoadable) {
      throw new IOException("the native library does not load: " + notLoadable.getMessage(), notLoadable);
    }
  }

  private static byte[] fromClassPath(String processor) throws IOException {
    var name = "/fr/acinq/secp256k1/jni/native/linux-" + processor + "/libsecp256k1-jni.so";
    try (var in = NativeSecp256k1.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IOException("the native library is not on the class path");
      }
      return in.readAllBytes();
    }
  }

  private static String hash(byte[] library) {
    return Digest32.sha256(library).toString();
  }

  private NativeSecp256k1(Path library, int contexts) {
    functions = Functions.of(SymbolLookup.libraryLookup(library, arena));
    idle = new ArrayBlockingQueue<>(contexts);
    for (int i = 0; i < contexts; i++) {
      idle.add(new Context(functions, arena));
    }
  }

  @Override
  public String name() {
    return "libsecp256k1";
  }

  @Override
  public boolean keepsKeysOffHeap() {
    return true;
  }

  @Override
  public Optional<Address> addressOf(SecretBytes key) {
    var context = take();
    try {
      return context.addressOf(key.memory());
    } finally {
      idle.add(context);
    }
  }

  @Override
  public Signature sign(byte[] digest, SecretBytes key) {
    var context = take();
    try {
      return context.sign(digest, key.memory());
    } finally {
      idle.add(context);
    }
  }

  @Override
  public Optional<Address> recover(byte[] digest, Signature signature) {
    var context = take();
    try {
      return context.recover(digest, signature);
    } finally {
      idle.add(context);
    }
  }

  /** Waits for all work to end, then unloads the library. */
  @Override
  public void close() {
    for (int i = idle.remainingCapacity() + idle.size(); i > 0; i--) {
      take().destroy();
    }
    arena.close();
  }

  private Context take() {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return idle.take();
        } catch (InterruptedException retry) {
          interrupted = true; // a signature takes microseconds: finish, then tell the thread
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** The C functions that are used, by their names without {@code secp256k1_}. */
  private record Functions(MethodHandle contextCreate, MethodHandle contextRandomize, MethodHandle contextDestroy,
      MethodHandle ecPubkeyCreate, MethodHandle ecPubkeySerialize, MethodHandle ecSeckeyVerify,
      MethodHandle ecdsaSignRecoverable, MethodHandle serializeCompact, MethodHandle parseCompact,
      MethodHandle ecdsaRecover) {

    static Functions of(SymbolLookup library) {
      return new Functions(bind(library, "context_create", ADDRESS, JAVA_INT),
          bind(library, "context_randomize", JAVA_INT, ADDRESS, ADDRESS),
          Linker.nativeLinker().downcallHandle(symbol(library, "context_destroy"), FunctionDescriptor.ofVoid(ADDRESS)),
          bind(library, "ec_pubkey_create", JAVA_INT, ADDRESS, ADDRESS, ADDRESS),
          bind(library, "ec_pubkey_serialize", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, JAVA_INT),
          bind(library, "ec_seckey_verify", JAVA_INT, ADDRESS, ADDRESS),
          bind(library, "ecdsa_sign_recoverable", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS),
          bind(library, "ecdsa_recoverable_signature_serialize_compact", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS),
          bind(library, "ecdsa_recoverable_signature_parse_compact", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_INT),
          bind(library, "ecdsa_recover", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
    }

    private static MethodHandle bind(SymbolLookup library, String name, MemoryLayout result,
        MemoryLayout... arguments) {
      return Linker.nativeLinker().downcallHandle(symbol(library, name), FunctionDescriptor.of(result, arguments));
    }

    private static MemorySegment symbol(SymbolLookup library, String name) {
      return library.find("secp256k1_" + name)
          .orElseThrow(() -> new UnsatisfiedLinkError("it has no function secp256k1_" + name));
    }
  }

  /** A library context with the memory that its calls use. One thread at a time. */
  private static final class Context {
    private final Functions f;
    private final MemorySegment context;
    private final MemorySegment digest;
    private final MemorySegment signature;
    private final MemorySegment compact;
    private final MemorySegment recoveryId;
    private final MemorySegment publicKey;
    private final MemorySegment serialized;
    private final MemorySegment length;
    private final MemorySegment seed;
    private int signaturesLeft;

    Context(Functions functions, Arena arena) {
      f = functions;
      digest = arena.allocate(32);
      signature = arena.allocate(65);
      compact = arena.allocate(64);
      recoveryId = arena.allocate(JAVA_INT);
      publicKey = arena.allocate(64);
      serialized = arena.allocate(65);
      length = arena.allocate(JAVA_LONG);
      seed = arena.allocate(32);
      try {
        context = (MemorySegment) f.contextCreate.invokeExact(CONTEXT_NONE);
      } catch (Throwable thrown) {
        throw unexpected(thrown);
      }
      blind();
    }

    Optional<Address> addressOf(MemorySegment key) {
      try {
        if ((int) f.ecSeckeyVerify.invokeExact(context, key) != 1) {
          return Optional.empty();
        }
        require((int) f.ecPubkeyCreate.invokeExact(context, publicKey, key));
        return Optional.of(address());
      } catch (Throwable thrown) {
        throw unexpected(thrown);
      }
    }

    Signature sign(byte[] hash, MemorySegment key) {
      if (signaturesLeft-- <= 0) {
        blind();
      }
      MemorySegment.copy(hash, 0, digest, JAVA_BYTE, 0, 32);
      try {
        require((int) f.ecdsaSignRecoverable.invokeExact(context, signature, digest, key, MemorySegment.NULL,
            MemorySegment.NULL));
        require((int) f.serializeCompact.invokeExact(context, compact, recoveryId, signature));
      } catch (Throwable thrown) {
        throw unexpected(thrown);
      }
      var bytes = compact.toArray(JAVA_BYTE);
      return new Signature(new BigInteger(1, bytes, 0, 32), new BigInteger(1, bytes, 32, 32),
          recoveryId.get(JAVA_INT, 0));
    }

    Optional<Address> recover(byte[] hash, Signature given) {
      if (given.r().signum() <= 0 || given.r().compareTo(N) >= 0 || given.s().signum() <= 0
          || given.s().compareTo(N) >= 0) {
        return Optional.empty();
      }
      MemorySegment.copy(hash, 0, digest, JAVA_BYTE, 0, 32);
      MemorySegment.copy(BigIntegers.asUnsignedByteArray(32, given.r()), 0, compact, JAVA_BYTE, 0, 32);
      MemorySegment.copy(BigIntegers.asUnsignedByteArray(32, given.s()), 0, compact, JAVA_BYTE, 32, 32);
      try {
        if ((int) f.parseCompact.invokeExact(context, signature, compact, given.recoveryId()) != 1
            || (int) f.ecdsaRecover.invokeExact(context, publicKey, signature, digest) != 1) {
          return Optional.empty();
        }
        return Optional.of(address());
      } catch (Throwable thrown) {
        throw unexpected(thrown);
      }
    }

    void destroy() {
      try {
        f.contextDestroy.invokeExact(context);
      } catch (Throwable thrown) {
        throw unexpected(thrown);
      }
    }

    private Address address() throws Throwable {
      length.set(JAVA_LONG, 0, 65);
      require((int) f.ecPubkeySerialize.invokeExact(context, serialized, length, publicKey, UNCOMPRESSED));
      return Address.ofPublicKey(serialized.asSlice(1, 64).toArray(JAVA_BYTE));
    }

    /** New random blinding, so that what leaks through timing or power is of no use for long. */
    private void blind() {
      Libc.getrandom(seed);
      try {
        require((int) f.contextRandomize.invokeExact(context, seed));
      } catch (Throwable thrown) {
        throw unexpected(thrown);
      }
      Libc.explicitBzero(seed);
      signaturesLeft = SIGNATURES_BETWEEN_BLINDINGS;
    }

    private static void require(int result) {
      if (result != 1) {
        throw new IllegalStateException("libsecp256k1 refused a call that cannot fail");
      }
    }

    private static RuntimeException unexpected(Throwable thrown) {
      if (thrown instanceof Error error) {
        throw error;
      }
      return new IllegalStateException("a call of libsecp256k1 failed", thrown);
    }
  }
}
