package io.bursar.permit;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

import io.bursar.permit.SignerRequest.Approved;
import io.bursar.permit.SignerRequest.Passkey;
import io.bursar.permit.SignerRequest.SignedOrder;
import io.bursar.permit.SignerRequest.Word;

/** What people have signed, as {@link SignerFrame} carries it. */
final class ApprovedWire {
  private static final int GROUPS_MAX = 100;

  private ApprovedWire() {}

  static void write(WireWriter out, Approved approved) {
    out.shortBytes(approved.text().toByteArray()).u8(count(approved.words(), Approved.WORDS_MAX));
    for (var word : approved.words()) {
      out.uuid(word.approverId()).u8(count(word.groups(), GROUPS_MAX));
      word.groups().forEach(out::text);
      out.text(word.key()).shortBytes(word.signature().toByteArray());
      if (word.passkey().isEmpty()) {
        out.u16(0);
      } else {
        var passkey = word.passkey().get();
        if (passkey.credentialId().size() == 0) {
          throw new IllegalArgumentException("a credential has an identifier of at least one byte");
        }
        out.shortBytes(passkey.credentialId().toByteArray()).shortBytes(passkey.authenticatorData().toByteArray())
            .shortBytes(passkey.clientData().toByteArray());
      }
    }
  }

  static Approved approved(WireReader in) {
    var text = Bytes.of(in.shortBytes());
    int count = count(in, Approved.WORDS_MAX);
    var words = new ArrayList<Word>(count);
    for (int i = 0; i < count; i++) {
      var approver = in.uuid();
      int groups = count(in, GROUPS_MAX);
      var names = new ArrayList<String>(groups);
      for (int j = 0; j < groups; j++) {
        names.add(in.text());
      }
      words.add(new Word(approver, names, in.text(), Bytes.of(in.shortBytes()), passkey(in)));
    }
    return new Approved(text, words);
  }

  private static Optional<Passkey> passkey(WireReader in) {
    var credentialId = Bytes.of(in.shortBytes());
    return credentialId.size() == 0
        ? Optional.empty()
        : Optional.of(new Passkey(credentialId, Bytes.of(in.shortBytes()), Bytes.of(in.shortBytes())));
  }

  static WireWriter write(WireWriter out, SignedOrder order) {
    out.shortBytes(order.text().toByteArray()).u8(count(order.signatures(), SignedOrder.SIGNATURES_MAX));
    order.signatures().forEach(signature -> out.shortBytes(signature.toByteArray()));
    return out;
  }

  static SignedOrder order(WireReader in) {
    var text = Bytes.of(in.shortBytes());
    int count = count(in, SignedOrder.SIGNATURES_MAX);
    var signatures = new ArrayList<Bytes>(count);
    for (int i = 0; i < count; i++) {
      signatures.add(Bytes.of(in.shortBytes()));
    }
    return new SignedOrder(text, signatures);
  }

  private static int count(List<?> items, int most) {
    if (items.size() > most) {
      throw new IllegalArgumentException("there are " + items.size() + " of what may be " + most + " at most");
    }
    return items.size();
  }

  private static int count(WireReader in, int most) {
    int count = in.u8();
    if (count > most) {
      throw new IllegalArgumentException("there are " + count + " of what may be " + most + " at most");
    }
    return count;
  }
}
