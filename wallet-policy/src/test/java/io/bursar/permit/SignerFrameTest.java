package io.bursar.permit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;

import org.junit.jupiter.api.Test;

import io.bursar.permit.SignerReply.Refused;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.SignerRequest.Health;

class SignerFrameTest {
  private static final CreateKey CREATE = new CreateKey(new UUID(1, 2), new UUID(3, 4));

  @Test
  void takesFramesWhateverThePiecesTheyArriveIn() {
    var stream = ByteBuffer.allocate(200).put(SignerFrame.encode(CREATE)).put(SignerFrame.encode(new Health())).flip();
    var arrived = ByteBuffer.allocate(200);
    int taken = 0;
    while (stream.hasRemaining()) {
      arrived.put(stream.get()).flip();
      var payload = SignerFrame.take(arrived);
      if (payload != null) {
        assertThat(SignerFrame.decodeRequest(payload)).isEqualTo(taken == 0 ? CREATE : new Health());
        taken++;
      }
      arrived.compact();
    }
    assertThat(taken).isEqualTo(2);
    assertThat(arrived.position()).isZero();
  }

  @Test
  void refusesLengthsThatNoFrameHas() {
    for (int length : new int[]{0, 1, SignerFrame.MAX_PAYLOAD_BYTES + 1, 1 << 24, Integer.MAX_VALUE, -1,
        Integer.MIN_VALUE}) {
      var in = ByteBuffer.allocate(4).putInt(length).flip();
      assertThatIllegalArgumentException().as("length %d", length).isThrownBy(() -> SignerFrame.take(in));
    }
    var longest = ByteBuffer.allocate(4).putInt(SignerFrame.MAX_PAYLOAD_BYTES).flip();
    assertThat(SignerFrame.take(longest)).isNull();
  }

  @Test
  void everyCodeIsItsOwnAndSurvivesTheWire() {
    for (var reason : SignerRefusal.values()) {
      var payload = Objects.requireNonNull(SignerFrame.take(SignerFrame.encode(new Refused(reason, "because"))));
      assertThat(SignerFrame.decodeReply(payload)).isEqualTo(new Refused(reason, "because"));
    }
    assertThat(Arrays.stream(SignerRefusal.values()).map(SignerRefusal::code)).doesNotHaveDuplicates()
        .allMatch(code -> code > 0 && code < 256);
  }

  @Test
  void theLongestMessageStillFitsAFrame() {
    var refused = new Refused(SignerRefusal.BAD_FRAME, "\u20ac".repeat(100_000));
    assertThat(refused.message()).hasSize(1_000);
    assertThat(SignerFrame.encode(refused).remaining()).isLessThan(SignerFrame.MAX_PAYLOAD_BYTES);
  }

  @Test
  void refusesRandomAndDamagedPayloadsWithOneKindOfException() {
    long seed = 21;
    var random = new Random(seed);
    var good = SignerFrame.encode(CREATE).array();
    for (int i = 0; i < 200_000; i++) {
      byte[] payload;
      if (i % 2 == 0) {
        payload = new byte[random.nextInt(300)];
        random.nextBytes(payload);
        if (payload.length > 1) {
          payload[0] = 1;
          payload[1] = (byte) new int[]{1, 2, 3, 4, 5, 6, 16, 17, 18, 19, 20, 129, 130, 131, 132, 133, 134, 135, 144,
              145,
              146, 255}[random.nextInt(22)];
        }
      } else {
        payload = Arrays.copyOfRange(good, 4, 4 + random.nextInt(good.length + 8));
        if (payload.length > 0) {
          payload[random.nextInt(payload.length)] = (byte) random.nextInt();
        }
      }
      try {
        var request = SignerFrame.decodeRequest(payload);
        assertThat(Arrays.copyOfRange(SignerFrame.encode(request).array(), 4, 4 + payload.length))
            .as("seed %d, round %d: decoding is the inverse of encoding", seed, i).isEqualTo(payload);
      } catch (IllegalArgumentException refused) {
        assertThat(refused.getMessage()).as("seed %d, round %d", seed, i).isNotNull();
      }
      try {
        SignerFrame.decodeReply(payload);
      } catch (IllegalArgumentException refused) {
        assertThat(refused.getMessage()).as("seed %d, round %d", seed, i).isNotNull();
      }
    }
  }
}
