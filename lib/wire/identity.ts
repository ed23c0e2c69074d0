/** Where a node can be dialled. */
export interface Address {
  host: string
  port: number
}

/** How a node introduces itself in the handshake. See `spec/wire.md`, "Handshake". */
export interface Identity {
  /** 16 random bytes in hex, made when the disk was first used: the member, and its incarnation. */
  id: string
  /** Counts the starts of this id. Durable before it is told. */
  start: number
  /** 16 bytes in hex, or the empty string as long as the node has joined no cluster. */
  cluster: string
  /** Where this node says it can be dialled, if it knows. */
  address: Address | null
  /** A name for people, at most 64 characters; may be empty. */
  name: string
}
