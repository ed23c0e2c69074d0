/** A directory, as far as a log needs one. What does not resolve may have happened, or in part. */
export interface Files {
  /** The names of what is in it; none if the directory does not exist. */
  list (): Promise<string[]>
  size (name: string): Promise<number>
  /** Fewer bytes at the end of the file. */
  read (name: string, position: number, length: number): Promise<Uint8Array>
  /** A file of so many zero bytes. It, and that it is there, is on stable storage when this resolves. Makes the directory if needed. */
  create (name: string, bytes: number): Promise<void>
  /** On stable storage when it resolves, and so is every change of names before it. */
  rename (from: string, to: string): Promise<void>
  /** Need not be on stable storage. No error if there is no such file. */
  remove (name: string): Promise<void>
  /** For writing. */
  open (name: string): Promise<WritableFile>
  /** If it is empty. */
  removeDirectory (): Promise<void>
}

/** One write is under way at a time. */
export interface WritableFile {
  /** One chunk behind the other. On stable storage when it resolves; the bytes of other places of the file need not be. */
  write (chunks: readonly Uint8Array[], position: number): Promise<void>
  /** Takes all that was ever written to this file to stable storage, also by a process that was killed meanwhile. */
  sync (): Promise<void>
  close (): Promise<void>
}
