import { Replicator } from '../../index.ts'
import { wrapTrio } from './replicated.ts'
import { makeMemoryLevel, memoryTestsMin, runSuite } from './suite.ts'

runSuite(makeMemoryLevel, wrapTrio(Replicator), memoryTestsMin)
