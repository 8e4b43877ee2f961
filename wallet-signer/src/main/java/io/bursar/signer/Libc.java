package io.bursar.signer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The calls of Linux's C library that Java has no word for, by their own names. Each answers what the function does: 0, or
 * −1 where it failed. To be used only where {@link #IS_LINUX}.
 */
final class Libc {
  /** Whether this is Linux; elsewhere nothing of this class may be called. */
  static final boolean IS_LINUX = System.getProperty("os.name", "").equals("Linux");

  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_PRIVATE_ANONYMOUS = 0x22;

  private Libc() {}

  // A holder for each, since binding takes milliseconds and not every command needs all.

  private static final class Prctl {
    static final MethodHandle HANDLE = bind("prctl", Linker.Option.firstVariadicArg(1), JAVA_INT, JAVA_INT, JAVA_LONG,
        JAVA_LONG, JAVA_LONG, JAVA_LONG);
  }

  private static final class Syscall {
    static final MethodHandle HANDLE = bind("syscall", Linker.Option.firstVariadicArg(1), JAVA_LONG, JAVA_LONG,
        JAVA_LONG, JAVA_LONG, ADDRESS);
  }

  private static final class Bzero {
    static final MethodHandle HANDLE = Linker.nativeLinker().downcallHandle(symbol("explicit_bzero"),
        FunctionDescriptor.ofVoid(ADDRESS, JAVA_LONG));
  }

  /** {@code prctl(option, value, 0, 0, 0)}. */
  static int prctl(int option, long value) {
    try {
      return (int) Prctl.HANDLE.invokeExact(option, value, 0L, 0L, 0L);
    } catch (Throwable thrown) {
      throw unexpected(thrown);
    }
  }

  /** {@code setrlimit(resource, limit)}. */
  static int setrlimit(int resource, MemorySegment limit) {
    try {
      return (int) bind("setrlimit", JAVA_INT, JAVA_INT, ADDRESS).invokeExact(resource, limit);
    } catch (Throwable thrown) {
      throw unexpected(thrown);
    }
  }

  /** {@code syscall(number, first, second, third)}. */
  static long syscall(long number, long first, long second, MemorySegment third) {
    try {
      return (long) Syscall.HANDLE.invokeExact(number, first, second, third);
    } catch (Throwable thrown) {
      throw unexpected(thrown);
    }
  }

  /** Private, anonymous memory of zeros, of its own pages; address −1 where there is none. */
  static MemorySegment mmap(long bytes) {
    try {
      var mapped = (MemorySegment) bind("mmap", ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG)
          .invokeExact(MemorySegment.NULL, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0L);
      return mapped.address() == -1 ? mapped : mapped.reinterpret(bytes);
    } catch (Throwable thrown) {
      throw unexpected(thrown);
    }
  }

  /** {@code mlock(memory)}. */
  static int mlock(MemorySegment memory) {
    try {
      return (int) bind("mlock", JAVA_INT, ADDRESS, JAVA_LONG).invokeExact(memory, memory.byteSize());
    } catch (Throwable thrown) {
      throw unexpected(thrown);
    }
  }

  /** {@code madvise(memory, advice)}. */
  static int madvise(MemorySegment memory, int advice) {
    try {
      return (int) bind("madvise", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT).invokeExact(memory, memory.byteSize(),
          advice);
    } catch (Throwable thrown) {
      throw unexpected(thrown);
    }
  }

  /** Fills memory with zeros, also where nobody reads it again. */
  static void explicitBzero(MemorySegment memory) {
    try {
      Bzero.HANDLE.invokeExact(memory, memory.byteSize());
    } catch (Throwable thrown) {
      throw unexpected(thrown);
    }
  }

  /** Fills memory of up to 256 bytes with random bytes of the kernel. */
  static void getrandom(MemorySegment memory) {
    try {
      var filled = (long) bind("getrandom", JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_INT).invokeExact(memory,
          memory.byteSize(), 0);
      if (filled != memory.byteSize()) {
        throw new IllegalStateException("the kernel gave no random bytes");
      }
    } catch (Throwable thrown) {
      throw unexpected(thrown);
    }
  }

  private static MethodHandle bind(String name, MemoryLayout result, MemoryLayout... arguments) {
    return Linker.nativeLinker().downcallHandle(symbol(name), FunctionDescriptor.of(result, arguments));
  }

  private static MethodHandle bind(String name, Linker.Option option, MemoryLayout result,
      MemoryLayout... arguments) {
    return Linker.nativeLinker().downcallHandle(symbol(name), FunctionDescriptor.of(result, arguments), option);
  }

  private static MemorySegment symbol(String name) {
    return Linker.nativeLinker().defaultLookup().find(name)
        .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no function " + name));
  }

  private static RuntimeException unexpected(Throwable thrown) {
    if (thrown instanceof Error error) {
      throw error;
    }
    return thrown instanceof RuntimeException failed
        ? failed
        : new IllegalStateException("a call of the C library failed", thrown);
  }
}
