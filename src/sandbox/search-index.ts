const SEPARATOR = '\n';

/**
 * Finds the items that have a text anywhere in their fields, without a look at each item: all fields stand in one long
 * text, which is searched natively. Items are only ever added; who asks leaves out those that are gone.
 */
export class SearchIndex<T> {
  readonly #items: T[] = [];
  /** Where each item's fields start in the text. */
  readonly #starts: number[] = [];
  #text = '';

  get size(): number {
    return this.#items.length;
  }

  /** Fields are taken as they are: lower case for a search that ignores case. */
  add(item: T, fields: readonly string[]): void {
    this.#items.push(item);
    this.#starts.push(this.#text.length);
    this.#text += fields.join(SEPARATOR) + SEPARATOR;
  }

  /** Items with `text` in one of their fields, in the order of their adding; `undefined` for texts it cannot look for. */
  containing(text: string): readonly T[] | undefined {
    if (text === '' || text.includes(SEPARATOR)) return undefined;
    const found: T[] = [];
    let at = this.#text.indexOf(text);
    while (at !== -1) {
      const position = this.#itemAt(at);
      const item = this.#items[position];
      if (item !== undefined) found.push(item);
      const next = this.#starts[position + 1];
      at = next === undefined ? -1 : this.#text.indexOf(text, next);
    }
    return found;
  }

  #itemAt(offset: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
