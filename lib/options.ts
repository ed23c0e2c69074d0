import type { Duplex } from 'node:stream'
import { codes, ReplicatorError } from './errors.ts'
import { fixedLimits, optionLimits } from './limits.ts'
import type { PeerName } from './net/discovery.ts'
import type { Address } from './net/network.ts'

/** Dials a peer: like `net.connect(port, host)`. May return a promise. The stream need not emit `connect`. */
export type Transport = (port: number, host: string) => Duplex | Promise<Duplex>

export interface ReplicatorOptions {
  /** Where other nodes can dial this one. May be left out: then it is learned from those who do. */
  host?: string | undefined
  port?: number | undefined
  /**
   * The other nodes, or at least one of them: `{ host, port }`; `{ dns, port }`: every address of that name; `{ srv }`: every target of the
   * SRV records of that name. Names are looked up again and again. Default: none.
   */
  peers?: ReadonlyArray<Address | PeerName> | undefined
  /**
   * How many live peers must hold a write that is called here, beside this node. It is ready while that many are live and a majority
   * of the members takes part. Each node may have its own. Default: the number of configured peers until a cluster has formed, then all
   * other members that hold the data. A cluster is founded by more than that many nodes.
   */
  minConsensus?: number | undefined
  /**
   * `'strong'`: all that the README guarantees, also with `minConsensus: 0`, which has to be said: without it, 0 will once mean
   * eventual consistency. The only value of this version. Default: strong, if `minConsensus` is not 0.
   */
  consistency?: 'strong' | undefined
  /** After this many failed attempts in a row to reach a peer, `fail` is emitted; dialling goes on. Default 16. */
  failAfter?: number | undefined
  /** Replaces plain TCP on the dialling side. */
  transport?: Transport | undefined
  /**
   * What all nodes of the cluster share, at least 16 bytes (a string counts in UTF-8), random ones: whoever does not show that it has
   * it gets no connection. Default: none, and whoever can connect can join.
   */
  secret?: string | Uint8Array | undefined
  /**
   * `'disk'` (default): a write is on stable storage on every live member when its promise resolves. `'memory'`: it is
   * with the operating system of every live member; that survives killed processes, but not a power cut.
   */
  durability?: 'disk' | 'memory' | undefined
  /**
   * `'consistent'` (default): reads wait until they are certain to see every write that was acknowledged before.
   * `'local'`: reads answer at once from what is applied here.
   */
  reads?: 'consistent' | 'local' | undefined
  /** After this many milliseconds a write rejects. Default 10,000. */
  writeTimeoutMs?: number | undefined
  /** After this many milliseconds a read that waits rejects. Default 10,000. */
  readTimeoutMs?: number | undefined
  /** A peer that is silent for this long, in milliseconds, is disconnected, and the cluster goes on without it. Default 5,000. */
  failureTimeoutMs?: number | undefined
  /** How many writes may wait, queued or undecided. Default 100,000. */
  queueMax?: number | undefined
  /** How many bytes of writes may wait. Default 64 MiB. */
  queueBytesMax?: number | undefined
  /** The largest write, a batch as a whole, in bytes. Default 16 MiB. */
  writeBytesMax?: number | undefined
  /** The largest key, in bytes. Default 64 KiB. */
  keyBytesMax?: number | undefined
  /** The largest value, in bytes. Default: as large as a write. */
  valueBytesMax?: number | undefined
  /**
   * How many bytes of the log are kept for members that are away, from 64 KiB. Beyond, a member gets a copy of the data when it
   * returns. Default 256 MiB.
   */
  logBytesMax?: number | undefined
  /**
   * `'files'` (default): where the database is a directory (it has a `location`, like those of classic-level) and `durability` is
   * `'disk'`, the log is in files in it, which is faster. `'store'`: it is in the database itself. It is moved when that changes.
   */
  log?: 'files' | 'store' | undefined
  /** How many observers may be connected to this node, from 0 to 10,000. Default 100. */
  observersMax?: number | undefined
  /** How many events are kept in memory for `trace()`, from 0 to 65,536. Default 512. */
  traceMax?: number | undefined
  /** A name for people, at most 64 characters, which no other member has. A member keeps the one with which it joined. Default: none. */
  name?: string | undefined
  /**
   * `'member'` (default): holds a full copy of the data. `'witness'`: votes on who takes part, and holds no data: with two members and a
   * witness, any one of the three may fail. Its database is for a few records of its own, and can be neither read nor written.
   * `'observer'`: no member, however many there are: holds a copy that follows the cluster's, answers reads from it, and passes writes on.
   */
  role?: 'member' | 'witness' | 'observer' | undefined
  /**
   * Of an observer: the name of a sublevel, or the names along the way to it, if it holds only that. Reads of anything else find nothing, and writes
   * are refused. For sublevels with the default separator. Default: all data.
   */
  sublevel?: string | readonly string[] | undefined
  /** The id of the cluster that this node joins, as `stats().cluster` tells it. It founds none, and joins no other. Default: any. */
  cluster?: string | undefined
  /**
   * How many nodes found a cluster together, at least. Needed as soon as one of the peers is given by `dns` or `srv`, else this node only joins: start just as many.
   * Default: as many as have each other among their peers.
   */
  founders?: number | undefined
  /** If this node joins a cluster: the data that it brings along are deleted. Default false: then it refuses. */
  overwrite?: boolean | undefined
  /**
   * If this node joins a cluster: the name or id of a member that is gone for good, whose place it takes. To say so of a member that lives is an
   * error that cannot always be noticed, and then that one may answer reads that are out of date.
   */
  replaces?: string | undefined
  /** `'auto'` (default): while this node coordinates, it hands over to the member where most writes come from. `'fixed'`: it does not. */
  coordinator?: 'auto' | 'fixed' | undefined
}

export interface Settings {
  readonly address: Address | null
  /** Those that were given by their addresses. */
  readonly peers: readonly Address[]
  /** Those that were given by name. They are no founders that this node waits for. */
  readonly discovery: readonly PeerName[]
  /** False: this node only ever joins a cluster that is there. */
  readonly mayFound: boolean
  /** Null: as many as there are peers. */
  readonly minConsensus: number | null
  /** Null: not said. It is strong all the same. */
  readonly consistency: 'strong' | null
  readonly failAfter: number
  readonly transport: Transport | null
  /** Null: everybody may connect. */
  readonly secret: Uint8Array | null
  readonly durability: 'disk' | 'memory'
  readonly reads: 'consistent' | 'local'
  readonly writeTimeoutMs: number
  readonly readTimeoutMs: number
  readonly failureTimeoutMs: number
  readonly queueMax: number
  readonly queueBytesMax: number
  readonly writeBytesMax: number
  readonly keyBytesMax: number
  readonly valueBytesMax: number
  readonly logBytesMax: number
  readonly log: 'files' | 'store'
  readonly observersMax: number
  readonly traceMax: number
  readonly name: string
  readonly role: 'member' | 'witness' | 'observer'
  /** The prefix of the keys that an observer holds; null: all. */
  readonly part: Uint8Array | null
  /** Empty: any. */
  readonly cluster: string
  /** 0: not said. */
  readonly founders: number
  readonly overwrite: boolean
  /** Empty: nobody. */
  readonly replaces: string
  readonly coordinator: 'auto' | 'fixed'
}

/** As many as an id: fewer can be found by trying. */
const SECRET_BYTES_MIN = 16

const known = new Set<string>([
  'host', 'port', 'peers', 'minConsensus', 'consistency', 'failAfter', 'transport', 'durability', 'reads', 'writeTimeoutMs',
  'readTimeoutMs', 'failureTimeoutMs', 'queueMax', 'queueBytesMax', 'writeBytesMax', 'keyBytesMax', 'valueBytesMax', 'logBytesMax', 'log', 'observersMax', 'traceMax',
  'name', 'role', 'sublevel', 'cluster', 'founders', 'overwrite', 'replaces', 'coordinator',
  'secret'
] satisfies Array<keyof ReplicatorOptions>)

/** Checks options and fills in defaults. Throws a TypeError on a wrong one, a ReplicatorError on one that is not supported yet. */
export function readOptions (options: ReplicatorOptions = {}): Settings {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw new TypeError("The second argument 'opts' must be an object")
  // A misspelt option could found a cluster that was not meant.
  for (const option of Object.keys(options)) {
    if (!known.has(option)) throw new TypeError(`There is no option '${option}'`)
  }

  const { host, port, transport, durability = 'disk', reads = 'consistent', log = 'files', name = '', role = 'member', cluster = '', overwrite = false, replaces = '', coordinator = 'auto' } = options
  if (host !== undefined && port === undefined) throw new TypeError("The option 'host' needs the option 'port'")
  const own = port === undefined ? null : readAddress({ host: host ?? 'localhost', port }, '')
  const { peers, discovery } = readPeers(options.peers === undefined ? [] : options.peers, own)
  const minConsensus = options.minConsensus === undefined ? null : integer('minConsensus', options.minConsensus, 0, fixedLimits.members.value - 1)
  const consistency = readConsistency(options.consistency)

  // Later versions shall be able to give it another meaning.
  if (minConsensus === 0 && peers.length + discovery.length > 0 && consistency === null) {
    throw eventualError()
  }
  if (transport !== undefined && typeof transport !== 'function') throw new TypeError("The option 'transport' must be a function")
  oneOf('durability', durability, ['disk', 'memory'])
  oneOf('reads', reads, ['consistent', 'local'])
  oneOf('log', log, ['files', 'store'])
  if (typeof name !== 'string' || name.length > fixedLimits.nameChars.value) throw new TypeError(`The option 'name' must be a string of at most ${fixedLimits.nameChars.value} characters`)
  oneOf('role', role, ['member', 'witness', 'observer'])
  for (const option of role === 'observer' ? ['minConsensus', 'founders', 'replaces', 'observersMax'] as const : []) {
    if (options[option] !== undefined) throw new TypeError(`The option '${option}' is for members, and an observer is none`)
  }
  oneOf('coordinator', coordinator, ['auto', 'fixed'])
  if (typeof cluster !== 'string' || !/^([0-9a-f]{32})?$/.test(cluster)) throw new TypeError("The option 'cluster' must be 32 hex digits, as stats().cluster gives them")
  if (typeof overwrite !== 'boolean') throw new TypeError("The option 'overwrite' must be a boolean")
  if (typeof replaces !== 'string' || replaces.length > fixedLimits.nameChars.value) throw new TypeError("The option 'replaces' must be the name or id of a member")

  const part = readSublevel(options.sublevel)
  if (part !== null && role !== 'observer') throw new TypeError("The option 'sublevel' is for observers: a member holds all data")

  const number = (name: keyof typeof optionLimits): number => {
    const { value, min, max } = optionLimits[name]
    const given = options[name]
    return integer(name, given === undefined ? value : given, min, max)
  }

  const founders = options.founders === undefined ? 0 : integer('founders', options.founders, 1, fixedLimits.members.value)
  // What is not a member may send small frames only.
  const writeBytesMax = Math.min(number('writeBytesMax'), role === 'observer' ? fixedLimits.observerWriteBytes.value : Infinity)

  return {
    address: own,
    peers,
    discovery,
    // How many nodes are behind a name, nobody can tell: those that found a cluster have to know it.
    mayFound: role !== 'observer' && cluster === '' && (discovery.length === 0 || founders > 0),
    minConsensus: role === 'observer' ? 0 : minConsensus,
    consistency,
    failAfter: options.failAfter === Infinity ? Infinity : number('failAfter'),
    transport: transport ?? null,
    secret: readSecret(options.secret),
    durability,
    reads,
    writeTimeoutMs: number('writeTimeoutMs'),
    readTimeoutMs: number('readTimeoutMs'),
    failureTimeoutMs: number('failureTimeoutMs'),
    queueMax: number('queueMax'),
    queueBytesMax: number('queueBytesMax'),
    writeBytesMax,
    keyBytesMax: number('keyBytesMax'),
    valueBytesMax: options.valueBytesMax === undefined ? writeBytesMax : number('valueBytesMax'),
    logBytesMax: number('logBytesMax'),
    log,
    observersMax: number('observersMax'),
    traceMax: number('traceMax'),
    name,
    role,
    part,
    cluster,
    founders,
    overwrite,
    replaces,
    coordinator
  }
}

/** Checks the options of a call, which are flags, false by default. Throws a TypeError on a wrong or unknown one. */
export function readFlags<K extends string> (options: Partial<Record<K, boolean | undefined>>, ...names: readonly K[]): Record<K, boolean> {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw new TypeError("The argument 'options' must be an object")
  for (const option of Object.keys(options)) {
    if (!(names as readonly string[]).includes(option)) throw new TypeError(`There is no option '${option}'`)
  }
  return Object.fromEntries(names.map(name => {
    const { [name]: flag = false } = options
    if (typeof flag !== 'boolean') throw new TypeError(`The option '${name}' must be a boolean`)
    return [name, flag]
  })) as Record<K, boolean>
}

/** Checks an address that a caller gave. `what` names it in errors: `'peers[0].'`, for example. */
export function readAddress (address: unknown, what: string): Address {
  if (typeof address !== 'object' || address === null) throw new TypeError(`A peer must be an object with host and port (${what}host, ${what}port)`)
  const { host, port } = address as { host?: unknown, port?: unknown }
  if (typeof host !== 'string' || host === '' || host.length > fixedLimits.hostChars.value) throw new TypeError(`The option '${what}host' must be a non-empty string of at most ${fixedLimits.hostChars.value} characters`)
  return { host, port: integer(`${what}port`, port as number, 1, 65535) }
}

export function sameAddress (a: Address | null, b: Address | null): boolean {
  return a !== null && b !== null && a.host === b.host && a.port === b.port
}

/** What `minConsensus: 0` with peers gets unless strong consistency is asked for. */
export function eventualError (): ReplicatorError {
  return new ReplicatorError(codes.notSupported, "minConsensus 0 with peers will mean eventual consistency, which this version does not have. Say consistency: 'strong' " +
    'for a cluster in which a node takes writes that no peer holds yet, as long as a majority of the members takes part; or set minConsensus to 1 or more.')
}

function readSublevel (sublevel: unknown): Uint8Array | null {
  if (sublevel === undefined) return null
  const names: unknown[] = Array.isArray(sublevel) ? sublevel : [sublevel]
  if (names.length === 0 || !names.every(name => typeof name === 'string' && /^["-~]+$/.test(name))) {
    throw new TypeError("The option 'sublevel' must be the name of a sublevel, or an array of names, of the characters from '\"' to '~'")
  }
  return new TextEncoder().encode(names.map(name => `!${String(name)}!`).join(''))
}

function readSecret (secret: unknown): Uint8Array | null {
  if (secret === undefined) return null
  const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret
  if (!(bytes instanceof Uint8Array) || bytes.length < SECRET_BYTES_MIN) {
    throw new TypeError(`The option 'secret' must be a string or a Uint8Array of at least ${SECRET_BYTES_MIN} bytes`)
  }
  return Uint8Array.from(bytes)
}

function readConsistency (consistency: unknown): 'strong' | null {
  if (consistency === undefined) return null
  if (consistency === 'eventual') throw new ReplicatorError(codes.notSupported, "This version has no eventual consistency: the option 'consistency' must be strong")
  if (consistency !== 'strong') throw new TypeError("The option 'consistency' must be one of: strong")
  return consistency
}

function readPeers (options: ReadonlyArray<Address | PeerName>, own: Address | null): { peers: Address[], discovery: PeerName[] } {
  if (!Array.isArray(options)) throw new TypeError("The option 'peers' must be an array")
  const peers: Address[] = []
  const discovery: PeerName[] = []
  for (const [i, peer] of options.entries()) {
    const name = readPeerName(peer, `peers[${i}]`)
    if (name !== null) {
      discovery.push(name)
      continue
    }
    const address = readAddress(peer, `peers[${i}].`)
    // A node among its own peers, or one peer twice, would count for what it is not.
    if (!sameAddress(address, own) && !peers.some(other => sameAddress(other, address))) peers.push(address)
  }
  if (peers.length + discovery.length > fixedLimits.peers.value) throw new TypeError(`The option 'peers' must have at most ${fixedLimits.peers.value} entries`)
  return { peers, discovery }
}

/** Null if it is not given by name. */
function readPeerName (peer: unknown, what: string): PeerName | null {
  if (typeof peer !== 'object' || peer === null || !('dns' in peer || 'srv' in peer)) return null
  const { dns, srv, host, port } = peer as { dns?: unknown, srv?: unknown, host?: unknown, port?: unknown }
  const kind = 'dns' in peer ? 'dns' : 'srv'
  const name = kind === 'dns' ? dns : srv
  if (typeof name !== 'string' || name === '' || name.length > fixedLimits.dnsChars.value) throw new TypeError(`The option '${what}.${kind}' must be a name of at most ${fixedLimits.dnsChars.value} characters`)
  if (host !== undefined || (kind === 'dns' && srv !== undefined)) throw new TypeError(`A peer has a host, or dns, or srv: the option '${what}' says more than one`)
  if (kind === 'dns') return { dns: name, port: integer(`${what}.port`, port as number, 1, 65535) }
  if (port !== undefined) throw new TypeError(`The option '${what}' takes no port: SRV records tell it`)
  return { srv: name }
}

function integer (name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new TypeError(`The option '${name}' must be an integer from ${min} to ${max}${name === 'failAfter' ? ', or Infinity' : ''}`)
  }
  return value
}

function oneOf (name: string, value: string, values: readonly string[]): void {
  if (!values.includes(value)) throw new TypeError(`The option '${name}' must be one of: ${values.join(', ')}`)
}
