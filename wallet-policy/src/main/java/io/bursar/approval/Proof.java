package io.bursar.approval;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.permit.Bytes;

/** What an approver gives with a verdict, to show that it is the owner of the registered key who says it. */
public interface Proof {
  /** What a proof is worth. */
  enum Worth {
    PROVEN,
    NOTHING,
    /** It is the passkey's, but the passkey's counter has not gone on: there may be a copy of it. */
    COUNTER_BEHIND
  }

  /**
   * The key that an approver has registered.
   *
   * @param passkey absent for a key that signs the text itself
   */
  record Registered(ApproverKey key, @Nullable Passkey passkey) {}

  /**
   * What is known of a passkey beside its key.
   *
   * @param signCount the counter of its last assertion that was believed; 0 where it counts nothing
   */
  record Passkey(Bytes credentialId, long signCount) {}

  /** What this says about a text. Anything malformed is worth nothing. */
  Worth worth(Signable text, Registered registered);

  /** The signature itself, as it was given. */
  Bytes signature();

  /** What an outsider needs beside text, key and signature to check it again; absent where they suffice. */
  Json.@Nullable Obj assertion();

  /** The counter of the passkey; 0 for a key that has none. */
  long signCount();

  /** A signature over the bytes of the text itself. */
  record OverText(Bytes signature) implements Proof {
    @Override
    public Worth worth(Signable text, Registered registered) {
      return registered.passkey() == null && registered.key().verifies(text.bytes(), signature)
          ? Worth.PROVEN
          : Worth.NOTHING;
    }

    @Override
    public Json.@Nullable Obj assertion() {
      return null;
    }

    @Override
    public long signCount() {
      return 0;
    }
  }
}
