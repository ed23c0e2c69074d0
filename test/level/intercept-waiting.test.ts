// Every read waits, so that the iterators and reads that wait are held to the suite as well.
import { classicTestsMin, makeClassicLevel, makeMemoryLevel, makeMemoryLevelOfViews, memoryTestsMin, runSuite } from './suite.ts'
import { wrapWithDelayingGate } from './delayed.ts'

runSuite(makeMemoryLevel, wrapWithDelayingGate({ always: true }), memoryTestsMin)
runSuite(makeMemoryLevelOfViews, wrapWithDelayingGate({ always: true }), memoryTestsMin)
runSuite(makeClassicLevel, wrapWithDelayingGate({ always: true }), classicTestsMin)
