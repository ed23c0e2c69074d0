/** All scenarios, in the order in which a run measures them: what is compared is measured close to each other. */
import type { Scenario } from './scenario.ts'
import { catchUp } from './scenarios/catch-up.ts'
import { etcd } from './scenarios/etcd.ts'
import { fairness } from './scenarios/fairness.ts'
import { limits } from './scenarios/limits.ts'
import { machine } from './scenarios/machine.ts'
import { memory } from './scenarios/memory.ts'
import { puts } from './scenarios/puts.ts'
import { reads } from './scenarios/reads.ts'
import { views } from './scenarios/views.ts'

export const scenarios: readonly Scenario[] = [machine, limits, puts, etcd, reads, views, catchUp, memory, fairness]
