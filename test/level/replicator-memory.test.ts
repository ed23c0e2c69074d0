import { Replicator } from '../../index.ts'
import { wrapAlone } from './replicated.ts'
import { makeMemoryLevel, memoryTestsMin, runSuite } from './suite.ts'

runSuite(makeMemoryLevel, wrapAlone(Replicator), memoryTestsMin)
