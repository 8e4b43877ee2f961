package io.bursar.policy;

import java.util.List;
import java.util.Map;
import java.util.Set;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Asset;

/**
 * What a tenant has that a policy may name.
 *
 * @param assets the registered assets of all chains
 * @param groups the approver groups by name, with the number of their members
 * @param environment the sets, and who understands conditions
 */
public record PolicyContext(List<Asset> assets, Map<String, Integer> groups, PolicyEnvironment environment) {
  /** A tenant without sets, whose policies have no conditions. */
  public PolicyContext(List<Asset> assets, Map<String, Integer> groups) {
    this(assets, groups, PolicyEnvironment.NONE);
  }

  public PolicyContext {
    assets = List.copyOf(assets);
    groups = Map.copyOf(groups);
  }

  boolean hasAsset(String symbol) {
    return assets.stream().anyMatch(asset -> asset.symbol().equals(symbol));
  }

  boolean hasCurrency(String currency) {
    return assets.stream().anyMatch(asset -> currency.equals(asset.currency()));
  }

  /** Whether any registered asset fits these parts of a match; an absent part fits all. */
  boolean hasAsset(@Nullable Set<String> symbols, @Nullable String currency, @Nullable Set<String> chains) {
    return assets.stream().anyMatch(asset -> (symbols == null || symbols.contains(asset.symbol()))
        && (currency == null || currency.equals(asset.currency()))
        && (chains == null || chains.contains(asset.chain())));
  }

  /** The decimals that an amount of an asset may have on every one of its chains, or of those that are named. */
  int decimalsOfAsset(String symbol, @Nullable Set<String> chains) {
    var ofSymbol = assets.stream().filter(asset -> asset.symbol().equals(symbol)).toList();
    var named = ofSymbol.stream().filter(asset -> chains == null || chains.contains(asset.chain())).toList();
    return (named.isEmpty() ? ofSymbol : named).stream().mapToInt(Asset::decimals).min().orElse(Asset.DECIMALS_MAX);
  }

  /** The decimals that an amount of a currency may have: those of its finest asset. */
  int decimalsOfCurrency(String currency) {
    return assets.stream().filter(asset -> currency.equals(asset.currency())).mapToInt(Asset::decimals).max()
        .orElse(Asset.DECIMALS_MAX);
  }
}
