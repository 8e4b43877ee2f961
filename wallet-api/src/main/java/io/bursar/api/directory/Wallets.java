package io.bursar.api.directory;

import java.util.List;
import java.util.UUID;

import org.springframework.stereotype.Component;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.Chains;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.money.Address;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.spend.Id;
import io.bursar.store.Directory;
import io.bursar.store.Directory.RegisteredAsset;
import io.bursar.store.Directory.Wallet;

/** What calls about a wallet begin with: which one it is, and its key, its chain and what there can be in it. */
@Component
public final class Wallets {
  private final Directory directory;
  private final SignerClient signer;
  private final Chains chains;

  Wallets(Directory directory, SignerClient signer, Chains chains) {
    this.directory = directory;
    this.signer = signer;
    this.chains = chains;
  }

  /**
   * The wallet that a path names.
   *
   * @throws Problem if there is none, or it is not for the caller to see: an agent sees its own
   */
  public Wallet find(Caller caller, String id) {
    return Id.WALLET.parse(id).flatMap(walletId -> directory.wallet(caller.tenantId(), walletId))
        .filter(wallet -> caller.onlyAgent().map(agent -> agent.equals(wallet.agentId())).orElse(true))
        .orElseThrow(() -> Problem.notFound("wallet"));
  }

  /**
   * Has the signer make a key, or say the address of the one that it has by this name.
   *
   * @param undone what was not done, for who is told that the signer is away
   */
  public Address makeKey(UUID tenantId, UUID walletId, String undone) {
    try {
      return switch (signer.ask(new SignerRequest.CreateKey(tenantId, walletId))) {
        case SignerReply.KeyCreated created -> created.address();
        case SignerReply.Refused refused -> throw Problem.retryAfter(ProblemCode.SIGNER_UNAVAILABLE,
            "the signer did not make a key: " + refused.reason(), 5);
        case SignerReply _ -> throw new IllegalStateException("the signer answered another question");
      };
    } catch (SignerUnreachable e) {
      throw Problem.retryAfter(ProblemCode.SIGNER_UNAVAILABLE, undone + "; try again", 2);
    }
  }

  /** The chain that a wallet is on. */
  public Chain chain(Wallet wallet) {
    return chains.find(wallet.chain()).orElseThrow(() -> Problem.retryAfter(ProblemCode.CHAIN_UNAVAILABLE,
        "this instance has no node of " + wallet.chain(), 60));
  }

  /** The assets that there can be in a wallet. */
  public List<RegisteredAsset> assets(UUID tenantId, Wallet wallet) {
    return directory.assets(tenantId).stream().filter(registered -> registered.asset().chain().equals(wallet.chain()))
        .toList();
  }
}
