package io.bursar.api.chain;

/** When a block counts as settled. */
public sealed interface Confirmation {
  /**
   * When so many blocks stand from it to the newest, both counted.
   *
   * @param blocks at least 1
   */
  record Depth(int blocks) implements Confirmation {
    public Depth {
      if (blocks < 1) {
        throw new IllegalArgumentException("confirmations must be 1 or more, not " + blocks);
      }
    }
  }

  /** When the chain's own rule has made it final, as its nodes say by the tag {@code finalized}. */
  record Finalized() implements Confirmation {}

  /** A whole number of blocks, or {@code finalized}. */
  static Confirmation parse(String text) {
    if (text.equals("finalized")) {
      return new Finalized();
    }
    if (!text.matches("[0-9]{1,4}") || Integer.parseInt(text) > 1_000) {
      throw new IllegalArgumentException("must be a whole number from 1 to 1000 or `finalized`, not `" + text + "`");
    }
    return new Depth(Integer.parseInt(text));
  }
}
