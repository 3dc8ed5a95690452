load plots.'/common/bars.gp'
