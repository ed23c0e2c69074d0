import { createSign, generateKeyPairSync } from 'node:crypto'

/** A key and a certificate signed by itself, in PEM, made anew by each run so that none can expire. */
export function certificate (): { key: string, cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = seq(set(seq(oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from('localhost')))))
  const algorithm = seq(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
  const validity = seq(time(-1), time(1))
  const subject = publicKey.export({ type: 'spki', format: 'der' })
  const body = seq(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.of(1)),
    algorithm, name, validity, name, subject
  )
  const signature = createSign('SHA256').update(body).sign(privateKey)
  const whole = seq(body, algorithm, der(0x03, Buffer.of(0), signature))
  const lines = whole.toString('base64').replace(/.{1,64}/g, '$&\n')

  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`
  }
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
