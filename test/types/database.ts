// Compiled, never run: the database keeps its class, and what it was made with.
import type { AbstractLevel, AbstractSublevel } from 'abstract-level'
import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level'
import { Replicator } from '../../index.ts'
import type { DatabaseReplicator } from '../../index.ts'

/** Compiles if the two are the same type, neither wider nor narrower. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

function same<A, B> (answer: Same<A, B>): Same<A, B> {
  return answer
}

const classic = new ClassicLevel('x')
const memory = new MemoryLevel<string, { count: number }>({ valueEncoding: 'json' })
const sublevel = memory.sublevel('sub')
const bytes = new ClassicLevel<Uint8Array, Uint8Array>('x', { keyEncoding: 'view', valueEncoding: 'view' })
declare const any: AbstractLevel<any, any, any>
declare const strings: AbstractLevel<string | Buffer, string, string>
class Own extends MemoryLevel<number, string> {
  readonly extra = 1
}

export const overClassic = Replicator(classic)
export const overMemory = new Replicator(memory, { peers: [] })
export const overSublevel = Replicator(sublevel)
export const overBytes = Replicator(bytes)
export const overAny = Replicator(any)
export const overStrings = Replicator(strings)
export const overOwn = new Replicator(new Own())

same<typeof overClassic.db, ClassicLevel<string, string>>(true)
same<typeof overMemory.db, MemoryLevel<string, { count: number }>>(true)
same<typeof overSublevel.db, typeof sublevel>(true)
same<typeof overBytes.db, ClassicLevel<Uint8Array, Uint8Array>>(true)
same<typeof overAny.db, AbstractLevel<any, any, any>>(true)
same<typeof overStrings.db, AbstractLevel<string | Buffer, string, string>>(true)
same<typeof overOwn.db, Own>(true)
same<typeof overClassic, DatabaseReplicator<ClassicLevel>>(true)
same<typeof overClassic, Replicator<ClassicLevel>>(true)

export const location: string = overClassic.db.location
export const count: Promise<number | undefined> = overMemory.db.get('a').then((value) => value?.count)
export const prefix: string = overSublevel.db.prefix
export const extra: number = overOwn.db.extra
export const inner: AbstractSublevel<typeof memory, string | Buffer | Uint8Array, string, string> = sublevel

/** Somebody who takes any replicator takes each. */
export const each: Replicator[] = [overClassic, overMemory, overSublevel, overBytes, overAny, overStrings, overOwn]
export const isOne: boolean = overClassic instanceof Replicator

/** A function that makes them for others. */
export function wrap<T extends AbstractLevel<any, any, any>> (db: T): Replicator<T> {
  return Replicator(db, { name: 'made elsewhere' })
}
export const wrapped: string = wrap(classic).db.location

// @ts-expect-error what is passed has to be a database
Replicator('x')
// @ts-expect-error not its class
Replicator(ClassicLevel)
// @ts-expect-error the database of a replicator stays
overClassic.db = classic
// @ts-expect-error a memory-level has no location
console.log(overMemory.db.location)
// @ts-expect-error values are objects here
overMemory.db.put('a', '1')
// @ts-expect-error the class of another database
export const wrong: DatabaseReplicator<ClassicLevel> = overMemory
