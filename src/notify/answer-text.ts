const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The text of an answer that comes in chunks; `undefined` once it was over the cap, or when it is not UTF-8. */
export class AnswerText {
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** `false` when the cap is passed: nothing more needs to be read. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) return false;
    this.#chunks.push(chunk);
    return true;
  }

  text(): string | undefined {
    if (this.#bytes > this.#maxBytes) return undefined;
    try {
      return utf8.decode(Buffer.concat(this.#chunks));
    } catch {
      return undefined;
    }
  }
}
