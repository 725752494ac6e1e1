const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The bytes of an answer as they come in, up to a cap. */
export class AnswerBody {
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes a chunk in; `false` when the cap is passed, and then nothing of the body is kept. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) {
      this.#chunks.length = 0;
      return false;
    }
    this.#chunks.push(chunk);
    return true;
  }

  /** The whole body as text without a byte order mark; `undefined` when it is not UTF-8. */
  text(): string | undefined {
    const [first] = this.#chunks;
    try {
      return utf8.decode(this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks));
    } catch {
      // A replaced character could make one identifier look like another, so it is no text at all.
      return undefined;
    }
  }
}
