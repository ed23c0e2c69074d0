import type { Test } from 'tape'
import type { Verdict } from '../check/history.ts'

/** Passes if the verdict is ok. An undecided one is a failure, too. */
export function assertVerdict (t: Test, verdict: Verdict, name: string): void {
  switch (verdict.verdict) {
    case 'ok':
      t.pass(name)
      break
    case 'undecided':
      t.fail(`${name}: ${verdict.message}`)
      break
    case 'violation':
      // The first ones tell what happened; a thousand more do not.
      t.fail(`${name}: ${verdict.problems.length} problems`)
      for (const { rule, message } of verdict.problems.slice(0, 5)) t.comment(`${rule}: ${message}`)
  }
}
