package io.bursar.signer;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What the process may no longer ask the kernel for once it has started: to run a program, to start or look into a process, to open a
 * socket that is not a Unix socket, to get round this filter or to change the machine. A program for the kernel's packet
 * filter, which every system call of every thread goes through.
 *
 * @see <a href="https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html">seccomp filter</a>
 */
final class SystemCallFilter {
  /**
   * A processor.
   *
   * @param audit its number for the kernel's audit
   * @param seccompCall number of the call that installs a filter; the others likewise
   * @param forbidden numbers of the calls that are refused whatever their arguments
   */
  record Processor(int audit, int seccompCall, int socketCall, int cloneCall, int clone3Call, List<Integer> forbidden) {
    /** x86-64, by {@code arch/x86/entry/syscalls/syscall_64.tbl}. */
    static final Processor AMD64 = new Processor(0xc000003e, 317, 41, 56, 435, List.of(//
        59, 322, 57, 58, // execve execveat fork vfork
        101, 310, 311, 440, 438, 312, // ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp
        425, 426, 427, 321, 298, 323, // io_uring_setup io_uring_enter io_uring_register bpf perf_event_open userfaultfd
        165, 166, 428, 429, 430, 442, // mount umount2 open_tree move_mount fsopen mount_setattr
        155, 161, 272, 308, 304, // pivot_root chroot unshare setns open_by_handle_at
        246, 320, 175, 313, 176, // kexec_load kexec_file_load init_module finit_module delete_module
        248, 249, 250, 319, 135)); // add_key request_key keyctl memfd_create personality
    /** arm64, by {@code include/uapi/asm-generic/unistd.h}: the same calls in the same order, without fork and vfork. */
    static final Processor AARCH64 = new Processor(0xc00000b7, 277, 198, 220, 435, List.of(//
        221, 281, //
        117, 270, 271, 440, 438, 272, //
        425, 426, 427, 280, 241, 282, //
        40, 39, 428, 429, 430, 442, //
        41, 51, 97, 268, 265, //
        104, 294, 105, 273, 106, //
        217, 218, 219, 279, 92));

    /** The processor of this machine, as the JVM names it, if there is a filter for it. */
    static Optional<Processor> here() {
      return switch (System.getProperty("os.arch", "")) {
        case "amd64" -> Optional.of(AMD64);
        case "aarch64" -> Optional.of(AARCH64);
        default -> Optional.empty();
      };
    }
  }

  private static final int PR_SET_NO_NEW_PRIVS = 38;
  private static final int SECCOMP_SET_MODE_FILTER = 1;
  private static final int SECCOMP_FILTER_FLAG_TSYNC = 1;

  // Instructions of the kernel's packet filter.
  private static final int LOAD = 0x20;
  private static final int JUMP_IF_EQUAL = 0x15;
  private static final int JUMP_IF_AT_LEAST = 0x35;
  private static final int JUMP_IF_ANY_BIT = 0x45;
  private static final int RETURN = 0x06;
  // Offsets in struct seccomp_data; both processors are little-endian.
  private static final int NUMBER = 0;
  private static final int ARCHITECTURE = 4;
  private static final int FIRST_ARGUMENT = 16;

  private static final int ALLOW = 0x7fff0000;
  private static final int NOT_PERMITTED = 0x00050001; // errno 1, EPERM
  private static final int NOT_THERE = 0x00050026; // errno 38, ENOSYS
  private static final int KILL_PROCESS = 0x80000000;
  private static final int X32_BIT = 0x40000000;
  private static final int AF_UNIX = 1;
  private static final int CLONE_THREAD = 0x00010000;

  private SystemCallFilter() {}

  /** Puts the filter over all threads of this process, for good. Whether it is there. */
  static boolean install(Processor processor) {
    if (!Libc.IS_LINUX || Libc.prctl(PR_SET_NO_NEW_PRIVS, 1) != 0) {
      return false;
    }
    var program = program(processor);
    try (var arena = Arena.ofConfined()) {
      var instructions = arena.allocate(program.capacity(), 8);
      instructions.asByteBuffer().put(program);
      var description = arena.allocate(16, 8); // struct sock_fprog
      description.set(ValueLayout.JAVA_SHORT, 0, (short) (program.capacity() / 8));
      description.set(ValueLayout.ADDRESS, 8, instructions);
      // Anything but 0 is the number of a thread that could not be brought under it.
      return Libc.syscall(processor.seccompCall(), SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
          description) == 0;
    }
  }

  /** The filter as {@code struct sock_filter[]}: code (2), jump if true (1), jump if false (1), operand (4). */
  static ByteBuffer program(Processor processor) {
    var lines = new ArrayList<int[]>();
    lines.add(new int[]{LOAD, 0, 0, ARCHITECTURE});
    lines.add(new int[]{JUMP_IF_EQUAL, 1, 0, processor.audit()});
    lines.add(answer(KILL_PROCESS)); // a call by the numbers of another processor
    lines.add(new int[]{LOAD, 0, 0, NUMBER});
    if (processor.equals(Processor.AMD64)) {
      lines.add(new int[]{JUMP_IF_AT_LEAST, 0, 1, X32_BIT});
      lines.add(answer(NOT_PERMITTED));
    }
    for (int number : processor.forbidden()) {
      lines.add(new int[]{JUMP_IF_EQUAL, 0, 1, number});
      lines.add(answer(NOT_PERMITTED));
    }
    // clone3 has its flags where a filter cannot read them; the C library then starts threads by clone.
    lines.add(new int[]{JUMP_IF_EQUAL, 0, 1, processor.clone3Call()});
    lines.add(answer(NOT_THERE));
    lines.add(new int[]{JUMP_IF_EQUAL, 0, 3, processor.cloneCall()});
    lines.add(new int[]{LOAD, 0, 0, FIRST_ARGUMENT});
    lines.add(new int[]{JUMP_IF_ANY_BIT, 4, 0, CLONE_THREAD});
    lines.add(answer(NOT_PERMITTED)); // a new process
    lines.add(new int[]{JUMP_IF_EQUAL, 0, 2, processor.socketCall()});
    lines.add(new int[]{LOAD, 0, 0, FIRST_ARGUMENT});
    lines.add(new int[]{JUMP_IF_EQUAL, 0, 1, AF_UNIX});
    lines.add(answer(ALLOW));
    lines.add(answer(NOT_PERMITTED));
    var program = ByteBuffer.allocate(lines.size() * 8).order(ByteOrder.LITTLE_ENDIAN);
    for (var line : lines) {
      program.putShort((short) line[0]).put((byte) line[1]).put((byte) line[2]).putInt(line[3]);
    }
    return program.flip();
  }

  private static int[] answer(int action) {
    return new int[]{RETURN, 0, 0, action};
  }
}
