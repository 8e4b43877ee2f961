package io.bursar.api.testing;

import org.jspecify.annotations.Nullable;

import io.bursar.approval.ApprovalText;
import io.bursar.permit.Digest32;

/** An approval text as the service would give it. */
public final class SampleText {
  public static final String SPEND = "spd_0199a1c2801f7a04800000000000a1b2";

  private SampleText() {}

  /** Approves so many base units of USDC, for a purpose that is known by its commitment. */
  public static ApprovalText approving(long baseUnits, @Nullable Digest32 purpose) {
    return ApprovalText.parse("""
        bursar spend approval v1
        verdict: approve
        tenant: ten_0199a1c27a2c70e88000000000000001
        spend: %s
        authorization: aut_0199a1c2801f7a04800000000000a1b2
        wallet: wal_0199a1c27b1174808000000000000003
        chain: eip155:8453
        asset: USDC
        contract: 0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913
        decimals: 6
        base-units: %d
        payee: 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
        purpose: %s
        policy: wallet pol_0199a1c27c0277148000000000000005 sha256:%s
        group: finance threshold 2 revision 1
        expires: 2026-11-23T13:00:00.123456Z
        """.formatted(SPEND, baseUnits, purpose == null ? "none" : "sha256:" + purpose, "0".repeat(64)));
  }
}
