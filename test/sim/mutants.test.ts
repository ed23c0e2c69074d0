import { availableParallelism } from 'node:os'
import tape from 'tape'
import { mutants } from './mutants.ts'
import { runMutant } from './run-mutant.ts'

const SEEDS_MAX = 600

tape('the simulator catches planted bugs', { timeout: 600_000 }, async (t) => {
  // A sample of those that show themselves soon: all of them take as long as everything else.
  const sample = mutants.filter(({ slow }) => slow !== true).filter((_, i) => i % 4 === 0)
  const waiting = process.env.MUTANTS === 'all' ? [...mutants] : sample
  await Promise.all(Array.from({ length: availableParallelism() }, async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const output = await runMutant(mutant, SEEDS_MAX)
      const found = output?.split('\n').find(line => line.startsWith('seed '))?.split(':')[0]
      t.ok(output !== null, `${mutant.name}: ${found ?? `not within ${SEEDS_MAX} seeds`}`)
    }
  }))
})
