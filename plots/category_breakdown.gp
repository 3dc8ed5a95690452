axis = 'ms a sample: timed median (dot, 95 % interval), shared out by the profiled pass'
load plots.'/common/bars.gp'
