import { printSimulation } from './simulate.ts'

printSimulation()
