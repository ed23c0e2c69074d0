/** What the prompt and the processes of the servers say to each other over Node's IPC channel. */
import type { ReplicaDigest } from 'quorum-level'
import type { Card } from './board.ts'

export interface Address {
  host: string
  port: number
}

export interface ServerOptions extends Address {
  name: string
  peers: Address[]
  /** The folder of its database. */
  location: string
  /** The folder of the page. */
  site: string
  /** Of the pages that may connect. */
  origins: string[]
  failureTimeoutMs: number
}

export interface Answers {
  /** The cards as this server holds them. */
  cards: Card[]
  digest: ReplicaDigest
}

export interface Ask {
  id: number
  question: keyof Answers
}

export type Reply =
  | { type: 'answer', id: number, answer: unknown }
  | { type: 'failure', id: number, message: string }

/** Without having been asked. */
export type Tell =
  | { type: 'listening' }
  | { type: 'event', text: string }
