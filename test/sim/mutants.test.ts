import { availableParallelism } from 'node:os'
import tape from 'tape'
import { mutants } from './mutants.ts'
import { runMutant } from './run-mutant.ts'

const SEEDS_MAX = 600

tape('the simulator catches every planted bug', { timeout: 600_000 }, async (t) => {
  const waiting = mutants.filter(({ slow }) => slow !== true || process.env.MUTANTS === 'all')
  await Promise.all(Array.from({ length: availableParallelism() }, async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const output = await runMutant(mutant, SEEDS_MAX)
      const found = output?.split('\n').find(line => line.startsWith('seed '))?.split(':')[0]
      t.ok(output !== null, `${mutant.name}: ${found ?? `not within ${SEEDS_MAX} seeds`}`)
    }
  }))
})
