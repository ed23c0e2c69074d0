import { Replicator } from '../../index.ts'
import { wrapAlone } from './replicated.ts'
import { classicTestsMin, makeClassicLevel, runSuite } from './suite.ts'

runSuite(makeClassicLevel, wrapAlone(Replicator), classicTestsMin)
