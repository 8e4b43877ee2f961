package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.Objects;

import org.junit.jupiter.api.Test;

import io.bursar.signer.SystemCallFilter.Processor;

/** Runs the filter as the kernel does, also the one for the processor that this is not. */
class SystemCallFilterTest {
  private static final int ALLOW = 0x7fff0000;
  private static final int EPERM = 0x00050001;
  private static final int ENOSYS = 0x00050026;
  private static final int KILL = 0x80000000;
  private static final Map<Processor, Integer> AUDIT = Map.of(Processor.AMD64, 0xc000003e, Processor.AARCH64,
      0xc00000b7);

  /** The numbers are those of the kernel's {@code syscall_64.tbl} and {@code asm-generic/unistd.h}, by name. */
  @Test
  void refusesProgramsOtherProcessesAndTheWaysRoundTheFilter() {
    var numbers = """
        execve 59 221, execveat 322 281, ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271
        process_madvise 440 440, pidfd_getfd 438 438, kcmp 312 272, io_uring_setup 425 425, io_uring_enter 426 426
        io_uring_register 427 427, bpf 321 280, perf_event_open 298 241, userfaultfd 323 282, mount 165 40
        umount2 166 39, open_tree 428 428, move_mount 429 429, fsopen 430 430, mount_setattr 442 442
        pivot_root 155 41, chroot 161 51, unshare 272 97, setns 308 268, open_by_handle_at 304 265
        kexec_load 246 104, kexec_file_load 320 294, init_module 175 105, finit_module 313 273
        delete_module 176 106, add_key 248 217, request_key 249 218, keyctl 250 219, memfd_create 319 279
        personality 135 92, fork 57 -1, vfork 58 -1""";
    for (var line : numbers.split("[,\n] *")) {
      var call = line.split(" ");
      assertThat(run(Processor.AMD64, Integer.parseInt(call[1]), 0)).as("%s on amd64", call[0]).isEqualTo(EPERM);
      if (Integer.parseInt(call[2]) >= 0) {
        assertThat(run(Processor.AARCH64, Integer.parseInt(call[2]), 0)).as("%s on arm64", call[0]).isEqualTo(EPERM);
      }
    }
  }

  @Test
  void opensUnixSocketsOnly() {
    for (int family = 0; family < 48; family++) {
      int expected = family == 1 ? ALLOW : EPERM;
      assertThat(run(Processor.AMD64, 41, family)).as("family %d", family).isEqualTo(expected);
      assertThat(run(Processor.AARCH64, 198, family)).as("family %d", family).isEqualTo(expected);
    }
  }

  @Test
  void startsThreadsAndNoProcesses() {
    int threadOfThePlatform = 0x003d0f00;
    int child = 0x01200011;
    assertThat(run(Processor.AMD64, 56, threadOfThePlatform)).isEqualTo(ALLOW);
    assertThat(run(Processor.AARCH64, 220, threadOfThePlatform)).isEqualTo(ALLOW);
    assertThat(run(Processor.AMD64, 56, child)).isEqualTo(EPERM);
    assertThat(run(Processor.AARCH64, 220, child)).isEqualTo(EPERM);
    assertThat(run(Processor.AMD64, 435, 0)).isEqualTo(ENOSYS);
    assertThat(run(Processor.AARCH64, 435, 0)).isEqualTo(ENOSYS);
  }

  @Test
  void letsFilesMemoryAndConnectionsBe() {
    for (int number : new int[]{0, 1, 2, 9, 10, 28, 42, 43, 44, 45, 53, 60, 74, 75, 202, 231, 257, 318}) {
      assertThat(run(Processor.AMD64, number, 2)).as("%d on amd64", number).isEqualTo(ALLOW);
    }
    for (int number : new int[]{56, 57, 63, 64, 82, 83, 93, 94, 98, 199, 202, 203, 215, 222, 226, 233, 278}) {
      assertThat(run(Processor.AARCH64, number, 2)).as("%d on arm64", number).isEqualTo(ALLOW);
    }
  }

  @Test
  void endsTheProcessForCallsByTheNumbersOfAnotherProcessor() {
    for (var processor : AUDIT.keySet()) {
      assertThat(run(processor, 0x40000003, 11, 0)).isEqualTo(KILL); // i386's execve
    }
    assertThat(run(Processor.AMD64, 0x40000000 | 59, 0)).as("x32").isEqualTo(EPERM);
  }

  private static int run(Processor processor, int number, int firstArgument) {
    return run(processor, Objects.requireNonNull(AUDIT.get(processor)), number, firstArgument);
  }

  private static int run(Processor processor, int architecture, int number, int firstArgument) {
    var program = SystemCallFilter.program(processor);
    int loaded = 0;
    for (int at = 0; at < program.limit() / 8; at++) {
      int code = program.getShort(at * 8);
      int operand = program.getInt(at * 8 + 4);
      boolean jump;
      switch (code) {
        case 0x20 -> {
          loaded = switch (operand) {
            case 0 -> number;
            case 4 -> architecture;
            case 16 -> firstArgument;
            default -> throw new AssertionError("loads offset " + operand);
          };
          continue;
        }
        case 0x06 -> {
          return operand;
        }
        case 0x15 -> jump = loaded == operand;
        case 0x35 -> jump = Integer.compareUnsigned(loaded, operand) >= 0;
        case 0x45 -> jump = (loaded & operand) != 0;
        default -> throw new AssertionError("instruction " + code);
      }
      at += program.get(at * 8 + (jump ? 2 : 3)) & 0xff;
    }
    throw new AssertionError("falls off its end");
  }
}
