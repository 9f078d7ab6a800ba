"""E-tax invoices (전자세금계산서): what the tax service must be told of invoices and corrections.

Pure: ``documents``, ``amendments``, ``deadlines``, ``shapes``. Outside: ``contract`` and its client
``popbill``. Rows: ``preparing`` (invoice → document), ``sweep`` (issue, ask, again), ``amending``,
``deeds`` (the operator's), ``queries``.
"""
