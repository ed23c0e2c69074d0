import { createSign, generateKeyPairSync, randomInt } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

export interface Certificate {
  key: string
  cert: string
}

/** A key and a certificate signed by itself, in PEM, made anew by each run so that none can expire. */
export function certificate (): Certificate {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return sign({ subject: 'localhost', issuer: 'localhost', isAuthority: false, keys, signer: keys.privateKey })
}

/** An authority of its own, and what makes certificates that it has signed. All authorities have the same name. */
export function authority (): { cert: string, issue: (subject: string) => Certificate } {
  const issuer = 'quorum-level test'
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    cert: sign({ subject: issuer, issuer, isAuthority: true, keys, signer: keys.privateKey }).cert,
    issue (subject) {
      const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      return sign({ subject, issuer, isAuthority: false, keys: own, signer: keys.privateKey })
    }
  }
}

interface Request {
  subject: string
  issuer: string
  isAuthority: boolean
  keys: { publicKey: KeyObject, privateKey: KeyObject }
  signer: KeyObject
}

function sign ({ subject, issuer, isAuthority, keys, signer }: Request): Certificate {
  const algorithm = seq(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
  const validity = seq(time(-1), time(1))
  // Basic constraints, critical: whether it may sign others.
  const yes = der(0x01, Buffer.of(0xff))
  const constraints = seq(oid(0x55, 0x1d, 0x13), yes, der(0x04, isAuthority ? seq(yes) : seq()))
  const body = seq(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.of(1 + randomInt(0x7f))),
    algorithm, nameOf(issuer), validity, nameOf(subject), keys.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, seq(constraints))
  )
  const signature = createSign('SHA256').update(body).sign(signer)
  const whole = seq(body, algorithm, der(0x03, Buffer.of(0), signature))
  const lines = whole.toString('base64').replace(/.{1,64}/g, '$&\n')

  return {
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`
  }
}

function nameOf (text: string): Buffer {
  return seq(set(seq(oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from(text)))))
}

function der (tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  const size = content.byteLength
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.of(tag, ...length), content])
}

function seq (...contents: Buffer[]): Buffer { return der(0x30, ...contents) }
function set (...contents: Buffer[]): Buffer { return der(0x31, ...contents) }
function oid (...bytes: number[]): Buffer { return der(0x06, Buffer.from(bytes)) }

function time (days: number): Buffer {
  const iso = new Date(Date.now() + days * 86_400_000).toISOString()
  return der(0x17, Buffer.from(iso.slice(2, 19).replace(/[-:T]/g, '') + 'Z'))
}
