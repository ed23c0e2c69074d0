import { runSeed } from './test/sim/run-seed.ts'
import { drawSettings } from './test/sim/settings.ts'
const from = Number(process.argv[2] ?? 1), n = Number(process.argv[3] ?? 50)
let ops = 0, com = 0, bad = 0; const t = performance.now()
for (let s = from; s < from + n; s++) {
  const r = await runSeed(drawSettings(s))
  ops += r.operations; com += r.committed
  if (r.problems.length) { bad++; console.log(s, r.problems.slice(0, 3).map(x => x.slice(0, 700)), JSON.stringify(r.settings)) }
}
console.log(n, 'seeds', ops, 'ops', com, 'committed', bad, 'bad', (n / (performance.now() - t) * 1000).toFixed(1), 'seeds/s')
