package io.bursar.permit;

import java.util.UUID;

import io.bursar.spend.Id;

/** Whose keys a freeze holds. */
public sealed interface FreezeScope {
  /** What a hold's text begins with. */
  String HOLD = "hold:";

  /** One key. */
  record Key(UUID keyId) implements FreezeScope {
    @Override
    public String toString() {
      return Id.WALLET.text(keyId);
    }
  }

  /** One key, as the service asked for it: where there is no root set it may take that back, by {@code hold:} and the wallet's identifier. */
  record Hold(UUID keyId) implements FreezeScope {
    @Override
    public String toString() {
      return HOLD + Id.WALLET.text(keyId);
    }
  }

  /** All keys of a tenant. */
  record Tenant(UUID tenantId) implements FreezeScope {
    @Override
    public String toString() {
      return Id.TENANT.text(tenantId);
    }
  }

  /** All keys. */
  record All() implements FreezeScope {
    @Override
    public String toString() {
      return "all";
    }
  }

  /** Whether it holds this key of this tenant. */
  default boolean holds(UUID tenantId, UUID keyId) {
    return switch (this) {
      case Key(var id) -> id.equals(keyId);
      case Hold(var id) -> id.equals(keyId);
      case Tenant(var id) -> id.equals(tenantId);
      case All() -> true;
    };
  }

  /**
   * Reads {@code all}, or the identifier of a wallet or a tenant, or that of a wallet behind {@code hold:}.
   *
   * @throws IllegalArgumentException if it is neither
   */
  static FreezeScope parse(String text) {
    if (text.equals("all")) {
      return new All();
    }
    if (text.startsWith(HOLD)) {
      return Id.WALLET.parse(text.substring(HOLD.length())).map(Hold::new)
          .orElseThrow(() -> new IllegalArgumentException("`" + text + "` names no wallet"));
    }
    return Id.WALLET.parse(text).<FreezeScope>map(Key::new).or(() -> Id.TENANT.parse(text).map(Tenant::new))
        .orElseThrow(() -> new IllegalArgumentException(
            "`" + text + "` is not `all`, nor the identifier of a wallet or a tenant"));
  }
}
