import { Replicator } from '../../index.ts'
import { wrapTrio } from './replicated.ts'
import { classicTestsMin, makeClassicLevel, runSuite } from './suite.ts'

runSuite(makeClassicLevel, wrapTrio(Replicator), classicTestsMin)
