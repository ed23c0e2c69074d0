/** Which part of the log may be dropped, by how many bytes it takes and by who has applied it. */
export class Retention {
  readonly #bytesMax: number
  /** Ends of groups, with the bytes of the log up to there since this start; the first is where the log begins. */
  #marks: Array<{ readonly position: number, readonly bytes: number }>
  #end: { position: number, bytes: number }

  /** `bytes`: of the log from `base` to `end`. */
  constructor (bytesMax: number, base: number, end: number, bytes: number) {
    this.#bytesMax = bytesMax
    this.#marks = [{ position: base, bytes: 0 }]
    this.#end = { position: end, bytes }
    if (end > base) this.#marks.push({ ...this.#end })
  }

  /** About how many bytes the log takes. */
  get bytes (): number {
    return this.#end.bytes - (this.#marks[0]?.bytes ?? 0)
  }

  onAppended (position: number, bytes: number): void {
    this.#end = { position, bytes: this.#end.bytes + bytes }
    const last = this.#marks[this.#marks.length - 1]
    if (this.#end.bytes - (last?.bytes ?? 0) >= this.#bytesMax / 64) this.#marks.push({ ...this.#end })
  }

  onCut (position: number): void {
    this.#marks = this.#marks.filter((mark, i) => i === 0 || mark.position <= position)
    this.#end = { position, bytes: Math.max(this.#marks[this.#marks.length - 1]?.bytes ?? 0, 0) }
  }

  /** The log begins anew, empty. */
  reset (base: number): void {
    this.#marks = [{ position: base, bytes: 0 }]
    this.#end = { position: base, bytes: 0 }
  }

  onTruncated (position: number): void {
    const first = this.#marks.filter(mark => mark.position <= position).pop()
    this.#marks = [{ position, bytes: first?.bytes ?? 0 }, ...this.#marks.filter(mark => mark.position > position)]
  }

  /**
   * Where to truncate: at most at `byAll`, what all members have applied; if the log takes more than its limit, at most at
   * `byLive`. A quarter of the limit is always kept. Null if it is not worth it.
   */
  truncation (byAll: number, byLive: number): number | null {
    const { bytes } = this
    const most = bytes > this.#bytesMax ? Math.max(byAll, byLive) : byAll
    const keptFrom = this.#end.bytes - this.#bytesMax / 4
    return this.#marks.filter((mark, i) => i > 0 && mark.position <= most && mark.bytes <= keptFrom).pop()?.position ?? null
  }
}
