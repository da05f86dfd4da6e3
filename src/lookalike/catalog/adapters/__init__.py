"""Each source's `rows` turns a folder or a file into `Row`s, one picture of one product each.

Sources: csv, feed (with feed_items and feed_xml), folders, inshop, sop, ut_zap50k (with matlab). Shared: local, delimited.
"""
