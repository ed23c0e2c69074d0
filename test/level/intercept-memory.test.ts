import { makeMemoryLevel, runSuite, memoryTestsMin } from './suite.ts'
import { wrapWithDelayingGate } from './delayed.ts'

runSuite(makeMemoryLevel, wrapWithDelayingGate({}), memoryTestsMin)
