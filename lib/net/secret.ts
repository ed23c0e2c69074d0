import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { proofBytes } from '../wire/auth.ts'
import { ByteWriter } from '../wire/bytes.ts'
import { equalBytes } from './equal-bytes.ts'
import { hmacWith } from './hmac.ts'
import type { Hmac } from './hmac.ts'
import { Seal } from './seal.ts'
import type { Seals } from './seal.ts'

export type Role = 'dialler' | 'acceptor'

/** What the two sides of one connection have said so far, byte by byte. Holds a nonce of each. */
export interface Transcript {
  auth: Uint8Array
  challenge: Uint8Array
}

const keyLabel = new TextEncoder().encode('quorum-level secret')

/**
 * The secret that the nodes of a cluster share. It is never told: each side of a connection shows the other that it has it. See
 * `spec/wire.md`, "Secret".
 */
export class Secret {
  readonly #hmac: Hmac

  constructor (secret: Uint8Array) {
    this.#hmac = hmacWith(hkdf(sha256, secret, undefined, keyLabel, 32))
  }

  /** What only somebody with the secret can say in that role. The role is part of it: nobody can be answered with what it has said itself. */
  proof (role: Role, transcript: Transcript): Uint8Array {
    return this.#derive(`${role} proof`, transcript)
  }

  isProof (proof: Uint8Array, role: Role, transcript: Transcript): boolean {
    return proof.length === proofBytes && equalBytes(proof, this.proof(role, transcript))
  }

  /** For what follows on the connection, on the side that has this role. */
  seals (role: Role, transcript: Transcript): Seals {
    const other = role === 'dialler' ? 'acceptor' : 'dialler'
    return {
      sending: new Seal(this.#derive(`${role} frames`, transcript)),
      receiving: new Seal(this.#derive(`${other} frames`, transcript))
    }
  }

  #derive (label: string, { auth, challenge }: Transcript): Uint8Array {
    const writer = new ByteWriter(256)
    writer.text(label)
    writer.bytes(auth)
    writer.bytes(challenge)
    return this.#hmac(writer.finish())
  }
}
