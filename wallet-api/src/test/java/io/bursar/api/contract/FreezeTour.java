package io.bursar.api.contract;

import static io.bursar.api.contract.FullTour.expect;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.HexFormat;

import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.permit.Bytes;
import io.bursar.permit.FreezeScope;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.spend.Id;

/** A wallet is frozen by who may approve, down to its key, and comes back unless the signer's operator holds it too. Part of {@link FullTour}. */
final class FreezeTour {
  private final Service service;

  FreezeTour(Service service) {
    this.service = service;
  }

  void play() {
    var wallet = "/v1/wallets/" + service.wallet;
    var frozen = expect(200, service.call("POST", wallet + "/freeze", "approver", null));
    assertThat(frozen.text("/status")).isEqualTo("frozen");
    assertThat(frozen.text("/key")).isEqualTo("frozen");
    expect(200, service.call("POST", wallet + "/freeze", "admin", null));
    assertThat(expect(200, service.call("POST", wallet + "/unfreeze", "admin", null)).text("/key")).isEqualTo("active");
    expect(200, service.call("POST", wallet + "/freeze", "admin", null));
    freezeAsOperator();
    var refused = expect(409, service.call("POST", wallet + "/unfreeze", "admin", null));
    assertThat(refused.text("/code")).isEqualTo("KEY_FROZEN");
    assertThat(refused.text("/detail")).contains("deploy/bursar unfreeze " + service.wallet);
    assertThat(expect(200, service.get(wallet, "agent")).text("/key")).isEqualTo("frozen");
    lift();
    var open = expect(200, service.call("POST", wallet + "/unfreeze", "admin", null));
    assertThat(open.text("/status")).isEqualTo("active");
    assertThat(open.text("/key")).isEqualTo("active");
  }

  private void freezeAsOperator() {
    var scope = new FreezeScope.Key(Id.WALLET.parse(service.wallet).orElseThrow());
    try (var signer = new SignerClient(service.signer.socket(), 1, Duration.ofSeconds(10))) {
      assertThat(signer.ask(new SignerRequest.Freeze(scope, "a drill"))).isEqualTo(new SignerReply.Frozen(scope, true));
    } catch (SignerUnreachable gone) {
      throw new AssertionError(gone);
    }
  }

  /** As the signer's operator does, who can read its home. */
  private void lift() {
    var scope = new FreezeScope.Key(Id.WALLET.parse(service.wallet).orElseThrow());
    try (var signer = new SignerClient(service.signer.socket(), 1, Duration.ofSeconds(10))) {
      var key = HexFormat.of().parseHex(Files.readString(service.signer.data().resolve("operator.key")).strip());
      assertThat(signer.ask(new SignerRequest.Lift(scope, Bytes.of(key))))
          .isEqualTo(new SignerReply.Frozen(scope, false));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (SignerUnreachable gone) {
      throw new AssertionError(gone);
    }
  }
}
